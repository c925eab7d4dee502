"""What a record says of itself, of its cause and of its flow in ids of its own: CloudEvents, MassTransit, NServiceBus,
Axon, Spring's request and reply, and the names that many use without a framework.

An id of a cause is a claim that is followed; an id of a flow groups and is never called a cause.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from collector.domain.records import Record

MAX_ID = 200  # characters
_MAX_ENVELOPE = 262_144  # bytes of a structured CloudEvent that are looked at


@dataclass(frozen=True, slots=True)
class RecordIds:
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


def ids_of(record: Record) -> RecordIds:
    """The ids in the record's headers, or in the envelope of a structured CloudEvent."""
    headers: dict[str, bytes] = {}
    for name, value in record.headers:
        if value:
            headers.setdefault(name.lower(), value)  # what was first there is the record's own: forwarders append
    if _REQUEST_ID in headers:
        return _request_or_reply(headers)
    for convention in _CONVENTIONS:
        if not convention.sign or convention.sign in headers:
            found = [_first(headers, each) for each in (convention.own, convention.cause, convention.flow)]
            if convention.sign or any(found):
                return RecordIds(*found)
    return _of_envelope(record, headers)


def _request_or_reply(headers: Mapping[str, bytes]) -> RecordIds:
    """A request names where the reply shall go; the reply brings the request's id back."""
    request = _text_or_uuid(headers[_REQUEST_ID])
    if _REPLY_TOPIC in headers:
        return RecordIds(own=request, cause=None, flow=None)
    return RecordIds(own=None, cause=request, flow=None)


def _of_envelope(record: Record, headers: Mapping[str, bytes]) -> RecordIds:
    kind = headers.get("content-type", b"").lower()
    value = record.value
    if not kind.startswith(b"application/cloudevents+json") or not value or len(value) > _MAX_ENVELOPE:
        return RecordIds(None, None, None)
    try:
        envelope = json.loads(value)
    except (ValueError, RecursionError):
        return RecordIds(None, None, None)
    if not isinstance(envelope, dict) or not all(isinstance(envelope.get(name), str) for name in ("id", "source")):
        return RecordIds(None, None, None)
    return RecordIds(*(_known(envelope.get(name)) for name in ("id", "causationid", "correlationid")))


def _first(headers: Mapping[str, bytes], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in headers and (found := _text(headers[name])):
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
