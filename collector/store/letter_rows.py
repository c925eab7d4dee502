"""What a dead letter says of itself, as columns of dead_letter: written when it is parked and when it is read again."""

from datetime import datetime

from collector.domain.dead_letters import DeadLetter
from collector.domain.keys import key_hash, key_text

SAID = (
    "dialect, failed_at, group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message,"
    " key_hash, key_text, n_attempts"
)
TYPES = ("text", "timestamptz", "int4", "int4", "int4", "int8", "text", "text", "int8", "text", "int2")


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
