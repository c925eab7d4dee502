"""What is written down of a person's deeds with retries: the audit log, and the hint that something changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector import audit, changes
from collector.retry.refusals import AlreadySent, Refusal
from collector.store import operations


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and from where."""

    person_id: int
    person_name: str
    address: str


def done(by: Asker, now: datetime, action: str, number: int, *, reason: str = "", **facts: int | str | None) -> None:
    """A deed on an operation, in the transaction that does it."""
    _append(by, now, action, f"retry {number}", "done", reason, facts)


def done_to(
    by: Asker, now: datetime, action: str, subject: str, *, reason: str = "", **facts: int | str | None
) -> None:
    """A deed on something else than an operation."""
    _append(by, now, action, subject, "done", reason, facts)


def refused(
    by: Asker, now: datetime, *, subject: str, reason: str, action: str = "retry", **facts: int | str | None
) -> None:
    """A deed that was not done."""
    _append(by, now, action, subject, "refused", reason, facts)


@contextmanager
def refusals(by: Asker, now: datetime, action: str, subject: str, **facts: int | str | None) -> Iterator[None]:
    """Write down what is refused inside. Around a transaction, never in one: its end would take the row along."""
    try:
        yield
    except AlreadySent:  # it was done before
        raise
    except Refusal as error:
        refused(by, now, subject=subject, reason=str(error), action=action, **facts)
        raise


def stopped(now: datetime, number: int, reason: str) -> None:
    """An operation stopped by itself."""
    audit.append(
        at=now, person_id=None, person_name="Weir", action="stop retry", object=f"retry {number}", result="done",
        reason=reason,
    )  # fmt: skip


def asked(cursor: CursorWrapper, number: int, n: int, by: Asker, *, now: datetime, reason: str = "") -> None:
    """A plan waits for a second person."""
    operations.note(cursor, number, f"asks for approval: {n:,} to send", now=now, by=by.person_name)
    done(by, now, "ask for approval", number, reason=reason, letters=n)
    announce(number)


def announce(number: int) -> None:
    """Operations and letters changed."""
    changes.announce("retries", number)
    changes.announce("letters")


def subject_of(letters: Sequence[int]) -> str:
    """The first letters, as the audit log names them."""
    return ", ".join(f"dead letter {letter}" for letter in letters[:3])


def in_words(letters: Sequence[int]) -> str:
    """A selection of single letters in words."""
    return f"dead letter {letters[0]}" if len(letters) == 1 else f"{len(letters):,} selected dead letters"


def _append(
    by: Asker,
    now: datetime,
    action: str,
    subject: str,
    result: audit.Result,
    reason: str,
    facts: dict[str, int | str | None],
) -> None:
    audit.append(
        at=now,
        person_id=by.person_id,
        person_name=by.person_name,
        action=action,
        object=subject,
        result=result,
        reason=reason,
        address=by.address,
        facts=facts,
    )
