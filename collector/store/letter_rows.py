"""What a dead letter says of itself, as columns of dead_letter: written when it is parked and when it is read again;
and its rows in COPY's binary form."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from collector.domain.contexts import Written
from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import own_key
from collector.domain.fingerprints import Fingerprint
from collector.domain.keys import key_hash, key_text
from collector.domain.records import Record
from collector.domain.resending import attempt_number
from collector.store.record_rows import MAX_INT
from collector.store.rows import moment

SAID = (
    "dialect, failed_at, group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message,"
    " key_hash, key_text, n_attempts"
)
TYPES = ("text", "timestamptz", "int4", "int4", "int4", "int8", "text", "text", "int8", "text", "int2")
LETTER = (
    "dead_letter (id, seen_at, topic_id, kafka_partition, kafka_offset, failed_at, expires_at, group_id,"
    " origin_topic_id, size_bytes, trace_id, span_id, dialect, origin_partition, origin_offset, exception_class,"
    " message, key_hash, key_text, n_attempts)"
)
BODY = "dead_letter_body (dead_letter_id, key, value, headers)"
STATE = "letter_state (dead_letter_id, failure_group_id, status, attempt, changed_at)"
_N_LETTER, _N_BODY, _N_STATE = 20, 4, 5  # columns
_LETTER, _HEAD, _STATE = Struct("!hiqiqiiiiiqiq").pack, Struct("!hiq").pack, Struct("!hiqiqihihiq").pack
_SIZE, _INT, _LONG, _SMALL = (Struct(f"!i{rest}").pack for rest in ("", "i", "q", "h"))
_CONTEXT = Struct("!i16si8s").pack  # an id is eight bytes, big-endian: a signed number as Postgres sends it
_NULL = _SIZE(-1)
_NO_CONTEXT = _NULL + _NULL


class Said(NamedTuple):
    """The values of SAID."""

    dialect: str
    failed_at: datetime
    group_id: int | None
    origin_topic_id: int | None
    origin_partition: int | None
    origin_offset: int | None
    exception_class: str
    message: str
    key_hash: int | None
    key_text: str | None
    n_attempts: int | None


@dataclass(slots=True)  # not frozen: many are packed in one go, after each was made
class Parcel:
    """What of a letter is known before the database is asked, and so is made beside the saving of others.

    `tail`: of its row of LETTER; `n_sent`: how often Weir had sent it; `headers`: packed by collector.domain.frames.
    """

    fingerprint: Fingerprint
    tail: bytes
    n_sent: int
    headers: bytes = b""


def parcel(
    record: Record, letter: DeadLetter, fingerprint: Fingerprint, *, size_bytes: int, context: Written | None
) -> Parcel:
    """Without the headers. `context`: who wrote the record."""
    key, place = own_key(letter, record), letter.origin
    hashed, text = key_hash(key), key_text(key)
    tail = b"".join(
        (
            _INT(4, min(size_bytes, MAX_INT)),
            _NO_CONTEXT if context is None else _CONTEXT(16, context[0], 8, context[1]),
            _named(letter.dialect),
            _NULL if place.partition is None else _INT(4, place.partition),
            _NULL if place.offset is None else _LONG(8, place.offset),
            _named(letter.exception_class),
            _text(letter.message),
            _NULL if hashed is None else _LONG(8, hashed),
            _NULL if text is None else _text(text),
            _NULL if letter.attempts is None else _SMALL(2, letter.attempts),
        )
    )
    return Parcel(fingerprint, tail, attempt_number(record))


def letter(
    number: int,
    at: tuple[int, int, int],
    *,
    seen_us: int,
    failed_at: datetime,
    expires_at: datetime | None,
    group_id: int | None,
    origin_topic_id: int | None,
    tail: bytes,
) -> bytes:
    """The row of LETTER. `at`: topic's id, partition, offset; `seen_us`: the `moment` it was seen at."""
    return b"".join(
        (
            _LETTER(_N_LETTER, 8, number, 8, seen_us, 4, at[0], 4, at[1], 8, at[2], 8, moment(failed_at)),
            _NULL if expires_at is None else _LONG(8, moment(expires_at)),
            _NULL if group_id is None else _INT(4, group_id),
            _NULL if origin_topic_id is None else _INT(4, origin_topic_id),
            tail,
        )
    )


def state(number: int, failure_group_id: int, status: int, attempt: int, changed_us: int) -> bytes:
    """The row of STATE. `changed_us`: the `moment` of the change."""
    return _STATE(_N_STATE, 8, number, 8, failure_group_id, 2, status, 2, attempt, 8, changed_us)


def _text(text: str) -> bytes:
    raw = text.encode()
    return _SIZE(len(raw)) + raw


_named = lru_cache(maxsize=1_024)(_text)  # dialects and classes: few, and short


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
) -> Said:
    """What the letter says. `own_key`: the key that the event had."""
    return Said(
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
