"""What people decide of letters: of those that may have been sent, and of those that need no retry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.dead_letters import ItemStatus, LetterStatus
from collector.retry import records
from collector.retry.edits import Edit
from collector.retry.records import Asker
from collector.retry.refusals import NeedsApproval, NotNow
from collector.retry.requests import Order, Requested, requested
from collector.store import letter_deeds
from collector.store.letter_deeds import Ended
from collector.store.letter_states import move, standing

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
    with records.refusals(by, now, _ACTIONS[what], subject):
        if not said:
            raise NotNow("Give a reason.")
        if what == "again" and typed.strip().lower() != TYPED:
            raise NotNow(f"Type “{TYPED}” to confirm.")
        with transaction.atomic(), connection.cursor() as cursor:
            ended = _ended(cursor, letter, by, what=what, said=said, now=now)
            records.done_to(by, now, _ACTIONS[what], subject, reason=said)
            if what == "again":
                return _again(letter, ended, by, token=token, now=now)
            _settle(cursor, letter, LetterStatus.PROCESSED if what == "processed" else LetterStatus.OPEN, now=now)
    return None


_ACTIONS = {"processed": "mark processed", "open": "put back to open", "again": "send again anyway"}


_HOW = {"processed": "Marked processed", "open": "Put back to open", "again": "Sent again"}
_UNDECIDED = (LetterStatus.SENT, LetterStatus.UNKNOWN)


def _ended(cursor: CursorWrapper, letter: int, by: Asker, *, what: Move, said: str, now: datetime) -> Ended:
    status = ItemStatus.PROCESSED if what == "processed" else ItemStatus.CANCELLED
    how = f"{_HOW[what]} by {by.person_name}: {said}"
    ended = letter_deeds.end_undecided(cursor, letter, status=status, outcome=how, now=now)
    if ended is None:
        raise NotNow("This letter is not one that may have been sent, or its outcome is still waited for.")
    if what == "open" and ended.edited:
        raise NotNow(
            "Its edited copy was sent or may have been, and its original never beside it:"
            " mark it processed, or send the copy again."
        )
    return ended


def _again(letter: int, ended: Ended, by: Asker, *, token: str, now: datetime) -> Requested:
    """Send just what may have been sent before, to just there: never the original beside its edited copy."""
    edit = Edit(*ended.edited) if ended.edited else None
    selection = records.in_words((letter,))
    # The words that were typed let it go behind newer events, too: one of these may be its own first copy.
    order = Order((letter,), ended.target, 1, sends_newer=True, selection=selection, edit=edit, stands=_UNDECIDED)
    try:
        return requested(order, by, token=token, now=now)
    except NeedsApproval:
        raise NeedsApproval("A second person must approve this: put it back to open, then ask for it.") from None


def _settle(cursor: CursorWrapper, letter: int, to: LetterStatus, *, now: datetime) -> None:
    if not move(cursor, [letter], to, out_of=_UNDECIDED, now=now):
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
        found = standing(cursor, letters, out_of)
        if not found:
            return 0
        subject = records.subject_of(found)
        records.done_to(by, now, action, subject, reason=reason.strip()[:MOST_REASON], letters=len(found))
        moved = move(cursor, found, to, out_of=[out_of], now=now)
        announce("letters")
        return len(moved)
