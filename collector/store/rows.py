"""Rows of span, span_link and span_error in COPY's binary form. What many rows share is packed once.

A row is its head (ids, times, place: packed for each span), its tail (names and numbers: packed once for each sketch),
and the time of storing, which stands last in every table so that it can be put between rows when it is known.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct

SPAN = (
    "span (trace_id, span_id, parent_id, started_at, duration_ms, kafka_offset, kafka_partition, source_id, name_id,"
    " edge_id, topic_id, attrs_id, n_messages, kind, status, op, stored_at)"
)
LINK = (
    "span_link (trace_id, span_id, linked_trace_id, linked_span_id, kafka_offset, kafka_partition, topic_id, stored_at)"
)
ERROR = "span_error (trace_id, span_id, exception_class, message, stack, stored_at)"

N_SPAN, N_LINK, N_ERROR = 17, 8, 6  # columns
NULL = -1  # the length that stands for it
FIRST_NS = 946_684_800 * 10**9  # Postgres counts from 2000-01-01
LAST_NS = 253_402_300_799 * 10**9  # the end of the year 9999: what a datetime can hold
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"

# Each field stands behind its length, those of a row behind their number.
FIRST = Struct("!hi").pack(N_SPAN, 16)  # before a trace id
ID, MOMENT, DURATION = (Struct("!i").pack(size) for size in (8, 8, 4))  # before a span id, a time, a duration
NO_PARENT = Struct("!i").pack(NULL)
NOWHERE = Struct("!ii").pack(NULL, NULL)  # offset and partition of a span without a place
CHILD = Struct("!6s16s4s8s4s8s4sq4sf").pack  # FIRST, trace, ID, span, ID, parent, MOMENT, started, DURATION, took
SPAN_ID_AT = 26  # in a head
ROOT = Struct("!6s16s4s8s4s4sq4sf").pack  # the same with NO_PARENT for the parent
_PLACED = Struct("!iqii").pack
_LINK = Struct("!hi16si8si16si8s").pack
_ERROR = Struct("!hi16si8s")
_INT, _SMALL, _LONG = Struct("!ii"), Struct("!ih"), Struct("!iq")
_NULL = Struct("!i").pack(NULL)

Place = tuple[int, int]
"""Partition and offset."""


def head(
    trace_id: bytes, span_id: bytes, parent_id: bytes | None, started_ns: int, ended_ns: int, place: Place | None
) -> bytes:
    """The head of a span's row. An id is eight bytes, big-endian: a signed number as Postgres sends it."""
    started, took = started_us(min(started_ns, LAST_NS)), max(0, ended_ns - started_ns) / 1e6
    if parent_id is None:
        packed = ROOT(FIRST, trace_id, ID, span_id, NO_PARENT, MOMENT, started, DURATION, took)
    else:
        packed = CHILD(FIRST, trace_id, ID, span_id, ID, parent_id, MOMENT, started, DURATION, took)
    return packed + where(place)


def started_us(nanoseconds: int) -> int:
    """A Unix time as Postgres counts it, in microseconds."""
    return (nanoseconds - FIRST_NS) // 1_000


def where(place: Place | None) -> bytes:
    """Offset and partition."""
    return NOWHERE if place is None else _PLACED(8, place[1], 4, place[0])


def tail(numbers: Sequence[int | None], small_numbers: Sequence[int]) -> bytes:
    """The tail of a span's row: source, name, edge, topic, attributes; then messages, kind, status, op."""
    return b"".join([*map(_int, numbers), *(_SMALL.pack(2, number) for number in small_numbers)])


def link(ids: tuple[bytes, bytes], linked: tuple[bytes, bytes], place: Place | None) -> bytes:
    """A link's row, but for topic and time."""
    return _LINK(N_LINK, 16, ids[0], 8, ids[1], 16, linked[0], 8, linked[1]) + where(place)


def span_of(packed_head: bytes) -> tuple[bytes, bytes]:
    """Trace and span id in a span's head."""
    return packed_head[6:22], packed_head[26:34]


def parent_of(packed_head: bytes) -> bytes | None:
    """The parent's span id in a span's head."""
    return packed_head[38:46] if packed_head[34:38] != _NULL else None


def started_of(packed_head: bytes) -> int:
    """The start in a span's head, as `started_us` counts."""
    at = 42 if packed_head[34:38] == _NULL else 50
    return int.from_bytes(packed_head[at : at + 8], "big", signed=True)


def linked_by(packed_link: bytes) -> tuple[bytes, bytes]:
    """The trace and span id that a link's row leads to."""
    return packed_link[38:54], packed_link[58:66]


def topic(topic_id: int | None) -> bytes:
    """The topic behind a link's row."""
    return _int(topic_id)


def error(ids: tuple[bytes, bytes], exception_class: str, message: str, stack: str) -> bytes:
    """An exception's row, but for the time."""
    return _ERROR.pack(N_ERROR, 16, ids[0], 8, ids[1]) + b"".join(map(_text, (exception_class, message, stack)))


def copied(rows: Iterable[bytes], stored_at: datetime | None) -> bytes:
    """What COPY takes: the rows, each ended by the time of storing where there is one."""
    stored = b"" if stored_at is None else _LONG.pack(8, moment(stored_at))
    return b"".join((_SIGNATURE, stored.join(rows), stored, _END))


def moment(at: datetime) -> int:
    """A time as Postgres counts it, in microseconds."""
    return (at - _EPOCH) // _MICROSECOND


def _int(number: int | None) -> bytes:
    return _NULL if number is None else _INT.pack(4, number)


def _text(text: str) -> bytes:
    raw = text.encode()
    return Struct("!i").pack(len(raw)) + raw
