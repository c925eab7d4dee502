"""Header values as the frameworks write them: text, decimal text, and Java's big-endian integers."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from collector.domain.records import Headers
from collector.domain.texts import cut, storable_bytes

Grouped = Mapping[str, Sequence[bytes | None]]  # name -> its values in their order on the record
Number = Callable[[bytes], int | None]

MOST_CLASS, MOST_MESSAGE, MOST_STACK, MOST_GROUP = 300, 4_000, 32_000, 255  # characters kept; the bytes keep all
_MOST_NAME = 300
_MOST_BYTES = 4 * MOST_STACK
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
_NSERVICEBUS = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d):(\d{6}) Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def grouped(headers: Headers) -> dict[str, list[bytes | None]]:
    """Values by header name, in order."""
    found: dict[str, list[bytes | None]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def text(value: bytes | None, most: int) -> str:
    """At most `most` characters; "" for null. Bytes that are no UTF-8 become U+FFFD."""
    return cut(storable_bytes(value[:_MOST_BYTES]).strip(), most) if value else ""


def topic(value: bytes | None) -> str | None:
    """A name that Kafka would allow for a topic, else None: a claim must not fill the list of topics with rubbish."""
    return None if not value else _known_name(value) if len(value) <= _MOST_NAME else _name(value)


def _name(value: bytes) -> str | None:
    found = text(value, _MOST_NAME)
    return found if _TOPIC.fullmatch(found) and found not in {".", ".."} else None


_known_name = lru_cache(maxsize=4_096)(_name)  # letters of one failure came from the same topic


def queue(value: bytes | None) -> str | None:
    """The topic that a queue's address names: "orders", "orders@machine", "kafka://host/vhost/orders?options"."""
    found = text(value, 1_000).partition("?")[0].rstrip("/").rpartition("/")[2].partition("@")[0]
    return topic(found.encode())


def decimal(value: bytes) -> int | None:
    """Decimal text, 0 or more, that fits eight bytes."""
    found = int(value) if value.isdigit() and len(value) <= 19 else None
    return found if found is None or found < 2**63 else None


def binary(value: bytes) -> int | None:
    """Java's fixed four or eight bytes; else decimal text; else one to seven bytes, big-endian and signed."""
    if len(value) in {4, 8}:
        return int.from_bytes(value, "big", signed=True)
    if (found := decimal(value)) is not None:
        return found
    return int.from_bytes(value, "big", signed=True) if 1 <= len(value) <= 7 else None


def either(value: bytes) -> int | None:
    """Decimal text, else bytes: for names that both hand-written code and frameworks use."""
    found = decimal(value)
    return binary(value) if found is None else found


def moment(value: bytes | None) -> datetime | None:
    """A time as ISO 8601 with its zone, or as milliseconds since 1970; else None."""
    if not value:
        return None
    found = text(value, 40)
    try:
        if named := _NSERVICEBUS.fullmatch(found):
            found = f"{named[1]}T{named[2]}.{named[3]}+00:00"
        if found.isascii() and found.isdigit():
            return _EPOCH + timedelta(milliseconds=int(found))
        parsed = datetime.fromisoformat(found)
        return parsed.astimezone(UTC) if parsed.tzinfo else None
    except (ValueError, OverflowError):
        return None
