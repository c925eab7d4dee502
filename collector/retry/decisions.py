"""What people decide of letters: of those that may have been sent, and of those that need no retry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.dead_letters import ItemStatus, LetterStatus
from collector.retry import records
from collector.retry.records import Asker
from collector.retry.refusals import NotNow, Refusal
from collector.retry.requests import Requested, retry
from collector.store import letter_deeds
from collector.store.letter_states import move

Move = Literal["processed", "open", "again"]
MOST_REASON = 500
TYPED = "send again"


def decide(
    letter: int, by: Asker, *, what: Move, reason: str, typed: str = "", token: str = "", now: datetime
) -> Requested | None:
    """Decide about a letter that may have been sent, or gave no answer: mark it processed, put it back to open, or
    send it again, which asks for the words "send again". A reason is needed. Raises a Refusal, which is audited.
    """
    said = reason.strip()[:MOST_REASON]
    subject = f"dead letter {letter}"
    try:
        if not said:
            raise NotNow("Give a reason.")
        if what == "again" and typed.strip().lower() != TYPED:
            raise NotNow(f"Type “{TYPED}” to confirm.")
        with transaction.atomic(), connection.cursor() as cursor:
            _settle(cursor, letter, by, what=what, said=said, now=now)
            records.done_to(by, now, _ACTIONS[what], subject, reason=said)
    except Refusal as error:
        records.refused(by, now, subject=subject, reason=str(error), action=_ACTIONS[what])
        raise
    if what != "again":
        return None
    return retry(
        [letter], person_id=by.person_id, person_name=by.person_name, token=token, target=None, expect=1, now=now,
        address=by.address,
    )  # fmt: skip


_ACTIONS = {"processed": "mark processed", "open": "put back to open", "again": "send again anyway"}


def _settle(cursor: CursorWrapper, letter: int, by: Asker, *, what: Move, said: str, now: datetime) -> None:
    processed = what == "processed"
    status = ItemStatus.PROCESSED if processed else ItemStatus.CANCELLED
    how = "Marked processed" if processed else "Put back to open"
    if not letter_deeds.end_undecided(
        cursor, letter, status=status, outcome=f"{how} by {by.person_name}: {said}", now=now
    ):
        raise NotNow("This letter is not one that may have been sent, or its outcome is still waited for.")
    to = LetterStatus.PROCESSED if processed else LetterStatus.OPEN
    if not move(cursor, [letter], to, out_of=[LetterStatus.UNKNOWN, LetterStatus.SENT], now=now):
        raise NotNow("Somebody else has decided about it meanwhile.")
    records.announce(0)


def archive(letters: Sequence[int], by: Asker, *, reason: str, now: datetime) -> int:
    """Hide open letters; nothing is deleted. How many were hidden."""
    return _shelve(letters, by, LetterStatus.ARCHIVED, LetterStatus.OPEN, action="archive", reason=reason, now=now)


def restore(letters: Sequence[int], by: Asker, *, reason: str = "", now: datetime) -> int:
    """Bring archived letters back. How many."""
    return _shelve(letters, by, LetterStatus.OPEN, LetterStatus.ARCHIVED, action="restore", reason=reason, now=now)


def _shelve(
    letters: Sequence[int],
    by: Asker,
    to: LetterStatus,
    out_of: LetterStatus,
    *,
    action: str,
    reason: str,
    now: datetime,
) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        subject = records.subject_of(letters)
        records.done_to(by, now, action, subject, reason=reason.strip()[:MOST_REASON], letters=len(letters))
        moved = move(cursor, letters, to, out_of=[out_of], now=now)
        announce("letters")
        return len(moved)
