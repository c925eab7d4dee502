"""Uber's uForwarder: no headers; the record's key is a protobuf DLQMetadata that holds the original key.

Fields (dlq_metadata.proto): 1 retry_count, 2 topic, 3 partition, 4 offset, 5 timestamp_ns, 6 data (the original key),
7 timeout_count. Topics are <topic>__<group>__retry, …__<tier>__retry and …__dlq.
"""

from dataclasses import dataclass

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import values
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record
from collector.domain.varints import Malformed, read_varint

DIALECT = "uforwarder"
_SUFFIX = "__dlq"
_MOST_KEY_BYTES = 1_000_000
_VARINT, _RUN = 0, 2


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the key says."""

    n_retries: int
    n_timeouts: int
    topic: str | None
    partition: int | None
    offset: int | None
    key: bytes


def read(record: Record, headers: Grouped) -> DeadLetter | None:  # noqa: ARG001  the form that all dialects have
    """The failure that the key tells of; only on a topic with uForwarder's name."""
    named = _group(record.topic)
    found = metadata(record.key) if named else None
    if found is None:
        return None
    origin = Place(found.topic, found.partition, found.offset)
    lead = f"{found.topic}__"
    group = record.topic.removeprefix(lead).removesuffix(_SUFFIX) if record.topic.startswith(lead) else named
    attempts = min(found.n_retries + found.n_timeouts, 10_000) or None
    return DeadLetter(DIALECT, origin, origin, group[: values.MOST_GROUP], "", "", "", attempts, record.produced_at)


def is_one(topic: str) -> bool:
    """Whether a topic has a name of uForwarder's: the records of others are none of its letters."""
    return bool(_group(topic))


def _group(topic: str) -> str:
    """What stands behind the first "__" of a name of uForwarder's; "" where it is none."""
    stem = topic.removesuffix(_SUFFIX)
    at = stem.find("__", 1)
    return stem[at + 2 :] if at > 0 and stem != topic else ""


def original_key(key: bytes | None) -> bytes | None:
    """The key that the record had before it died."""
    found = metadata(key)
    return key if found is None else found.key or None


def metadata(key: bytes | None) -> Metadata | None:
    """The key as DLQMetadata, or None when it is none: topic and offset must be there, and nothing else behind them."""
    if not key or len(key) > _MOST_KEY_BYTES:
        return None
    try:
        numbers, runs = _fields(key)
    except Malformed:
        return None
    topic = values.topic(runs.get(2))
    partition, offset = numbers.get(3, 0), numbers.get(4, 0)
    if topic is None or partition >= 2**31 or offset >= 2**63:
        return None
    return Metadata(numbers.get(1, 0), numbers.get(7, 0), topic, partition, offset, runs.get(6, b""))


def _fields(body: bytes) -> tuple[dict[int, int], dict[int, bytes]]:
    """Numbers and runs of bytes by field. Raises Malformed for anything else."""
    numbers: dict[int, int] = {}
    runs: dict[int, bytes] = {}
    at = 0
    while at < len(body):
        tag, at = read_varint(body, at)
        number, at = read_varint(body, at)
        if tag & 7 not in {_VARINT, _RUN} or not 1 <= tag >> 3 <= 7:
            raise Malformed("a field that DLQMetadata does not have")
        if tag & 7 == _VARINT:
            numbers[tag >> 3] = number
        elif at + number > len(body):
            raise Malformed("a run is cut off")
        else:
            runs[tag >> 3], at = body[at : at + number], at + number
    return numbers, runs
