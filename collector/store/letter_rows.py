"""What a dead letter says of itself, as columns of dead_letter: written when it is parked and when it is read again;
and the row of its bytes, in COPY's binary form."""

from datetime import datetime
from struct import Struct

from collector.domain.dead_letters import DeadLetter
from collector.domain.keys import key_hash, key_text
from collector.domain.records import Record

SAID = (
    "dialect, failed_at, group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message,"
    " key_hash, key_text, n_attempts"
)
TYPES = ("text", "timestamptz", "int4", "int4", "int4", "int8", "text", "text", "int8", "text", "int2")
BODY = "dead_letter_body (dead_letter_id, key, value, headers)"
_N_BODY = 4  # columns
_HEAD, _SIZE = Struct("!hiq").pack, Struct("!i").pack
_NULL = _SIZE(-1)


def body(number: int, record: Record, headers: bytes) -> bytes:
    """The row of BODY. `headers`: as collector.domain.frames packs them."""
    key, value = record.key, record.value
    return b"".join(
        (
            _HEAD(_N_BODY, 8, number),
            _NULL if key is None else _SIZE(len(key)) + key,
            *((_NULL,) if value is None else (_SIZE(len(value)), value)),
            _SIZE(len(headers)),
            headers,
        )
    )


def said(
    letter: DeadLetter,
    *,
    failed_at: datetime,
    group_id: int | None,
    origin_topic_id: int | None,
    own_key: bytes | None,
) -> tuple[object, ...]:
    """The values of SAID. `own_key`: the key that the event had."""
    return (
        letter.dialect,
        failed_at,
        group_id,
        origin_topic_id,
        letter.origin.partition,
        letter.origin.offset,
        letter.exception_class,
        letter.message,
        key_hash(own_key),
        key_text(own_key),
        letter.attempts,
    )
