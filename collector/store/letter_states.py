"""Moves of dead letters from one state to the next: one conditional statement, and the counts with it."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import LetterStatus
from collector.store import letter_counts


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
        "with before as (select dead_letter_id, status from letter_state"
        "  where dead_letter_id = any(%s) and status = any(%s) order by dead_letter_id for update)"
        " update letter_state s set status = %s, attempt = s.attempt + %s, changed_at = %s from before"
        " where s.dead_letter_id = before.dead_letter_id"
        " returning s.dead_letter_id, s.failure_group_id, before.status",
        [sorted(letters), [int(status) for status in out_of], int(to), deaths, now],
    )
    moved = cursor.fetchall()
    changes: Counter[tuple[int, int]] = Counter()
    for _, group, before in moved:
        changes[group, before] -= 1
        changes[group, int(to)] += 1
    letter_counts.adjust(cursor, changes)
    return {letter for letter, _, _ in moved}
