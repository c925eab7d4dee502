"""Moves of dead letters from one state to the next: one conditional statement, and the counts with it."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import LetterStatus
from collector.store import letter_counts
from collector.store.arrays import numbers


def standing(cursor: CursorWrapper, letters: Collection[int], status: LetterStatus) -> list[int]:
    """Those of `letters` that stand so, kept there until the transaction ends; sorted, as `move` locks them."""
    cursor.execute(
        "select dead_letter_id from letter_state where dead_letter_id = any(%s::bigint[]) and status = %s"
        " order by dead_letter_id for update",
        [numbers(sorted(letters)), int(status)],
    )
    return [letter for (letter,) in cursor.fetchall()]


def move(
    cursor: CursorWrapper,
    letters: Collection[int],
    to: LetterStatus,
    *,
    out_of: Collection[LetterStatus],
    now: datetime,
    deaths: int = 0,
) -> set[int]:
    """Move those of `letters` that stand in `out_of`, adding `deaths` to their attempts; the ids that moved.

    Sorted locks, so that two of these never wait in a circle. Call it once a transaction, after all other writes.
    """
    if not letters:
        return set()
    cursor.execute(
        "with before as (select b.dead_letter_id, b.status, d.topic_id from letter_state b"
        "  join dead_letter d on d.id = b.dead_letter_id"
        "  where b.dead_letter_id = any(%s::bigint[]) and b.status = any(%s) order by b.dead_letter_id for update of b)"
        " update letter_state s set status = %s, attempt = s.attempt + %s, changed_at = %s from before"
        " where s.dead_letter_id = before.dead_letter_id"
        " returning s.dead_letter_id, s.failure_group_id, before.topic_id, before.status",
        [numbers(sorted(letters)), [int(status) for status in out_of], int(to), deaths, now],
    )
    moved = cursor.fetchall()
    changes: Counter[tuple[int, int, int]] = Counter()
    for _, group, topic, before in moved:
        changes[group, topic, before] -= 1
        changes[group, topic, int(to)] += 1
    letter_counts.adjust(cursor, changes)
    return {letter for letter, _, _, _ in moved}
