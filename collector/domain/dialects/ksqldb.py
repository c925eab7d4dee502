"""ksqlDB's processing log: JSON values that tell of records it could not read or process; nothing to send again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import values
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record
from collector.domain.texts import cut, storable

DIALECT = "ksqldb"
_SUFFIX = "ksql_processing_log"
_MOST_BYTES = 1_000_000
# (member of the message, the words for it): the numbers of `type` are in this order.
_KINDS = (
    "deserializationError",
    "recordProcessingError",
    "productionError",
    "serializationError",
    "kafkaStreamsThreadError",
)


@dataclass(frozen=True, slots=True)
class _Said:
    kind: str
    error: Mapping[str, object]


def is_one(topic: str) -> bool:
    """Whether a topic has the name of such a log."""
    return topic.endswith(_SUFFIX)


def read(record: Record, headers: Grouped) -> DeadLetter | None:  # noqa: ARG001  the form that all dialects have
    """The error a log entry tells of."""
    if not is_one(record.topic):
        return None
    said = _said(record.value)
    if said is None:
        return None
    topic = said.error.get("topic")
    place = Place(values.topic(topic.encode()) if isinstance(topic, str) else None)
    message = said.error.get("errorMessage") or said.error.get("message") or ""
    causes = said.error.get("cause")
    stack = "\n".join(str(each) for each in causes[:100]) if isinstance(causes, list) else ""
    return DeadLetter(
        dialect=DIALECT,
        origin=place,
        latest=place,
        group=None,
        exception_class=said.kind,
        message=cut(storable(str(message)), values.MOST_MESSAGE),
        stack=cut(storable(stack), values.MOST_STACK),
        attempts=None,
        failed_at=record.produced_at,
    )


def _said(value: bytes | None) -> _Said | None:
    if not value or len(value) > _MOST_BYTES:
        return None
    try:
        body = json.loads(value)
    except (ValueError, RecursionError):
        return None
    message = body.get("message", body) if isinstance(body, dict) else None
    if not isinstance(message, dict):
        return None
    lowered = {str(name).lower(): member for name, member in message.items()}
    for kind in _KINDS:
        error = lowered.get(kind.lower())
        if isinstance(error, dict):
            return _Said(kind, {_camel(str(name)): member for name, member in error.items()})
    return None


def _camel(name: str) -> str:
    """ERRORMESSAGE, errorMessage: ksqlDB writes both."""
    return {"errormessage": "errorMessage"}.get(name.lower(), name.lower())
