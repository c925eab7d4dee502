"""What a record says of itself, of its cause and of its flow in ids of its own: CloudEvents, MassTransit, NServiceBus,
Axon, Spring's request and reply, and the names that many use without a framework.

An id of a cause is a claim that is followed; an id of a flow groups and is never called a cause.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from collector.domain.records import Record

MAX_ID = 200  # characters
_MAX_ENVELOPE = 262_144  # bytes of a structured CloudEvent that are looked at


class RecordIds(NamedTuple):
    """`own`: what effects name it by; `cause`: the own id of the record that it comes from; `flow`: of its flow."""

    own: str | None
    cause: str | None
    flow: str | None


@dataclass(frozen=True, slots=True)
class _Convention:
    """Header names of one convention; it is taken where `sign` is there."""

    sign: str
    own: tuple[str, ...]
    cause: tuple[str, ...]
    flow: tuple[str, ...]


# MassTransit: InitiatorId is the CorrelationId of the causing message. Axon 4: its correlation id is the direct cause;
# Axon 5 says causationId, and its correlationId is the root's.
_CONVENTIONS = (
    _Convention("ce_id", ("ce_id",), ("ce_causationid",), ("ce_correlationid",)),
    _Convention(
        "nservicebus.messageid", ("nservicebus.messageid",), ("nservicebus.relatedto",), ("nservicebus.conversationid",)
    ),
    _Convention("conversationid", ("correlationid", "messageid"), ("initiatorid",), ("conversationid",)),
    _Convention(
        "axon-message-id",
        ("axon-message-id",),
        ("causationid", "axon-metadata-causationid", "axon-metadata-correlationid"),
        ("correlationid", "axon-metadata-traceid"),
    ),
    _Convention(
        "",
        ("event-id", "event_id", "ce-id", "message-id", "x-message-id", "$eventid", "_watermill_message_uuid"),
        ("causation-id", "causation_id", "$causationid", "parent-id"),
        ("correlation-id", "x-correlation-id", "correlation_id", "$correlationid", "x-request-id"),
    ),
)
_REPLY_TOPIC, _REQUEST_ID = "kafka_replytopic", "kafka_correlationid"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the values stand in headers of some names: of each id in the order in which they are asked."""

    columns: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    is_signed: bool  # by a convention's own sign: then there is no envelope to look at
    request: int | None
    is_answered: bool  # the request says where to
    content_type: int | None


def ids_of(record: Record) -> RecordIds:
    """The ids in the record's headers, or in the envelope of a structured CloudEvent."""
    held = [(name, value) for name, value in record.headers if value]
    return read(plan([name for name, _ in held]), [value for _, value in held], record.value)


def plan(names: Sequence[str]) -> Plan:
    """How the values of headers with these names are read."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        first.setdefault(name.lower(), index)  # what was first there is the record's own: forwarders append
    taken = next(each for each in _CONVENTIONS if not each.sign or each.sign in first)
    own, cause, flow = (
        tuple([first[name] for name in wanted if name in first]) for wanted in (taken.own, taken.cause, taken.flow)
    )
    return Plan(
        (own, cause, flow), bool(taken.sign), first.get(_REQUEST_ID), _REPLY_TOPIC in first, first.get("content-type")
    )


def read(how: Plan, values: Sequence[bytes], body: bytes | None) -> RecordIds:
    """The ids in these headers, none of which is empty, or in the body."""
    if how.request is not None:  # a request names where the reply shall go; the reply brings the request's id back
        request = _text_or_uuid(values[how.request])
        return RecordIds(request, None, None) if how.is_answered else RecordIds(None, request, None)
    own, cause, flow = how.columns
    found = RecordIds(_first(values, own), _first(values, cause), _first(values, flow))
    if how.is_signed or how.content_type is None or any(found):
        return found
    return _of_envelope(values[how.content_type], body)


def _of_envelope(kind: bytes, value: bytes | None) -> RecordIds:
    if not value or len(value) > _MAX_ENVELOPE or not kind.lower().startswith(b"application/cloudevents+json"):
        return RecordIds(None, None, None)
    try:
        envelope = json.loads(value)
    except (ValueError, RecursionError):
        return RecordIds(None, None, None)
    if not isinstance(envelope, dict) or not all(isinstance(envelope.get(name), str) for name in ("id", "source")):
        return RecordIds(None, None, None)
    return RecordIds(*(_known(envelope.get(name)) for name in ("id", "causationid", "correlationid")))


def _first(values: Sequence[bytes], places: tuple[int, ...]) -> str | None:
    for at in places:
        if found := _text(values[at]):
            return found
    return None


def _text(raw: bytes) -> str | None:
    try:
        return _known(raw.decode())
    except UnicodeDecodeError:
        return None


def _known(text: object) -> str | None:
    """The text where it can be an id. MassTransit writes JSON: its texts stand in quotation marks."""
    if not isinstance(text, str):
        return None
    text = text.strip().strip('"')
    return text if 0 < len(text) <= MAX_ID and "\x00" not in text and text.isprintable() else None


def _text_or_uuid(raw: bytes) -> str | None:
    """Spring's request id is 16 bytes of a UUID unless the application chose otherwise."""
    return _text(raw) or (str(UUID(bytes=raw)) if len(raw) == 16 else raw.hex()[:MAX_ID])
