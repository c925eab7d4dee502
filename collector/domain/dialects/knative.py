"""Knative brokers and channels: CloudEvents extensions with the destination, its HTTP status, and what it answered."""

import base64
import binascii
from dataclasses import replace

from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record

FAMILY = Family(
    dialect="knative",
    marks=("ce_knativeerrordest", "ce_knativeerrorcode", "ce_knativeerrordata"),
    topic=(),
    partition=("ce_knativekafkapartition",),
    offset=("ce_knativekafkaoffset",),
    message=("ce_knativeerrordata",),
)


def read(record: Record, headers: Grouped) -> DeadLetter | None:
    """The failure: "HTTP 500" is its class, destination and decoded answer its message."""
    found = read_family(FAMILY, record, headers)
    if found is None:
        return None
    code, destination = (
        values.text(headers.get(f"ce_knativeerror{name}", [None])[-1], 200) for name in ("code", "dest")
    )
    answer = _decoded(headers.get("ce_knativeerrordata", [None])[-1])
    message = ": ".join(part for part in (destination, answer) if part)
    return replace(
        found, exception_class=f"HTTP {code}" if code.isdigit() else "", message=message[: values.MOST_MESSAGE]
    )


def _decoded(value: bytes | None) -> str:
    """Base64 of at most 1,024 bytes, as Knative writes it; anything else as it is."""
    try:
        return values.text(base64.b64decode(value or b"", validate=True), values.MOST_MESSAGE)
    except (binascii.Error, ValueError):
        return values.text(value, values.MOST_MESSAGE)
