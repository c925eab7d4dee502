"""Rows of record and record_key in COPY's binary form, but for the time of storing, which stands last.

See collector.store.rows.
"""

from struct import Struct

from collector.domain.records import Record
from collector.store.rows import moment

RECORD = (
    "record (kafka_offset, topic_id, kafka_partition, size_bytes, n_headers, timestamp_type, produced_at, trace_id,"
    " span_id, key, event_id, cause_id, stored_at)"
)
KEY = "record_key (name_id, topic_id, kafka_partition, kafka_offset, value, stored_at)"
N_RECORD, N_KEY = 13, 6  # columns
MAX_SMALLINT, MAX_INT = 2**15 - 1, 2**31 - 1

_HEAD = Struct("!hiqiiiiiiihihi").pack
_MOMENT = Struct("!q").pack
_CONTEXT = Struct("!i16si8s").pack
_KEY = Struct("!hiiiiiiiqi").pack
_SIZE = Struct("!i").pack
_NULL = _SIZE(-1)
_NO_CONTEXT = _NULL + _NULL


def record(
    each: Record,
    topic_id: int,
    size_bytes: int,
    context: tuple[bytes, bytes] | None,
    rest: tuple[bytes | None, str | None, str | None],
) -> bytes:
    """A record's row. `rest`: its key, its own id, its cause's id."""
    at, n_headers = each.produced_at, len(each.headers)
    head = _HEAD(
        N_RECORD, 8, each.offset, 4, topic_id, 4, each.partition, 4, size_bytes if size_bytes < MAX_INT else MAX_INT,
        2, n_headers if n_headers < MAX_SMALLINT else MAX_SMALLINT, 2, each.timestamp_type, -1 if at is None else 8,
    )  # fmt: skip
    produced = b"" if at is None else _MOMENT(moment(at))
    written = _NO_CONTEXT if context is None else _CONTEXT(16, context[0], 8, context[1])
    key, own, cause = rest
    return b"".join(
        (
            head,
            produced,
            written,
            _NULL if key is None else _SIZE(len(key)) + key,
            _NULL if own is None else _text(own),
            _NULL if cause is None else _text(cause),
        )
    )


def key(name_id: int, text: str, topic_id: int, partition: int, offset: int) -> bytes:
    """A searchable key's row."""
    raw = text.encode()
    return _KEY(N_KEY, 4, name_id, 4, topic_id, 4, partition, 8, offset, len(raw)) + raw


def _text(text: str) -> bytes:
    raw = text.encode()
    return _SIZE(len(raw)) + raw
