"""The door for retries: freeze what a person chose, once per click, and say what a plan would do."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import AT_ONCE, Sending, bounds
from collector.domain.dead_letters import LetterStatus, OperationStatus
from collector.retry import consent, records, rights
from collector.retry.destinations import NEWER, TO_ORIGIN, Sorted, sorted_out
from collector.retry.edits import Edit
from collector.retry.plans import Plan, plan
from collector.retry.records import Asker
from collector.retry.refusals import Changed, NeedsApproval, NotAllowed, NothingToSend, TokenReused, TooMany
from collector.retry.waking import wake
from collector.store import freezing, key_order, operations
from collector.store.letter_states import move

__all__ = ["TO_ORIGIN", "Asker", "Edit", "Plan", "Requested", "plan", "retry"]

MOST_LETTERS = 100_000
EXPECT_ABOVE = 100  # more letters than this need `expect`
MOST_TOKEN = 200  # characters
OPEN = (LetterStatus.OPEN,)
MOST_REASONS = 5  # why letters are left out, said with a number that does not fit
Goes = tuple[tuple[int, int], ...]  # id of each topic, and how many go there


@dataclass(frozen=True, slots=True)
class Requested:
    """The operation of a click. `repeated`: the same click had made it before, and nothing new happened now."""

    id: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sent, where and how.

    `newer`: letters of it whose key has newer events that were processed; they are left out unless a person decided
    otherwise (`sends_newer`). `unknown`: those of which nobody can say whether there are any.
    """

    letters: tuple[int, ...]
    target: str | None
    expect: int | None
    sending: Sending = AT_ONCE
    newer: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    sends_newer: bool = False
    name: str = ""
    selection: str = ""
    edit: Edit | None = None
    asked: str = ""  # how the letters were chosen, where the request did not name them
    stands: tuple[LetterStatus, ...] = OPEN  # where a letter must stand to be sent

    @property
    def leave_out(self) -> tuple[int, ...]:
        """Letters of it that are not sent."""
        return () if self.sends_newer else self.newer


def retry(
    letters: Sequence[int],
    *,
    person_id: int,
    person_name: str,
    token: str,
    target: str | None,
    expect: int | None,
    now: datetime,
    address: str = "",
    sends_newer: bool = False,
    sending: Sending | None = None,
    name: str = "",
    edit: Edit | None = None,
    asked: str = "",
) -> Requested:
    """Freeze these letters for one send each, and wake a worker. The audit row is written here, also of a refusal.

    `token` makes a click count once: the same person's same token and request is the same operation, also where the
    request chose letters by what they are (`asked`) and would choose others by now. Letters that
    cannot be sent are left out, and those whose key has newer events that were processed unless `sends_newer`;
    `expect`, the number that will be sent, must fit (needed above 100, and where the order of a key is not known).
    Raises a Refusal. Call it outside of a transaction of your own: the row of a refusal would be rolled back with it.
    """
    wanted = tuple(sorted(set(letters)))
    by = Asker(person_id, person_name, address)
    words = records.in_words(wanted)
    order = Order(
        wanted,
        target,
        expect,
        sending or AT_ONCE,
        sends_newer=sends_newer,
        name=name,
        selection=words,
        edit=edit,
        asked=asked,
    )
    with records.refusals(by, now, "retry", records.subject_of(wanted), letters=len(wanted)):
        return requested(order, by, token=token, now=now)


def requested(order: Order, by: Asker, *, token: str, now: datetime) -> Requested:
    """`retry` without the audit row of a refusal, for who has a transaction of their own. Raises a Refusal."""
    check(order, token=token)
    digest = digest_of(order)
    with transaction.atomic(), connection.cursor() as cursor:
        number, is_new, found = operations.begin(
            cursor,
            token=token,
            plan=digest,
            person_id=by.person_id,
            person_name=by.person_name,
            status=OperationStatus.REQUESTED,
            now=now,
        )
        if not is_new:
            if found != digest:
                raise TokenReused(f"This token was used for operation #{number}, which asks for something else.")
            return Requested(number, repeated=True)
        seen = looked_at(cursor, order)
        n = start(cursor, number, replace(order, newer=seen.newer, unknown=seen.unknown), by, now=now)
        if consent.needed(n, edited=order.edit is not None):
            raise NeedsApproval(NeedsApproval.__doc__)
    return Requested(number, repeated=False)


def looked_at(cursor: CursorWrapper, order: Order) -> key_order.Order:
    """The order of its letters' keys. Raises Changed where newer events are to be left out, and were not found in time:
    nobody has seen then that it is not known.
    """
    if order.stands != OPEN:  # what may have been sent goes again by typed words, whatever came after it
        return key_order.Order((), (), None)
    seen = key_order.order_of(cursor, order.letters)
    if not (seen.in_time or order.sends_newer):
        raise Changed(
            "Whether newer events of these keys were processed could not be found out in time. Try again, or send them"
            " even after newer ones."
        )
    return seen


def check(order: Order, *, token: str) -> None:
    """Raises a Refusal for what can be told without looking at the letters."""
    if len(order.letters) > MOST_LETTERS:
        raise TooMany(f"One operation takes at most {MOST_LETTERS:,} dead letters; these are {len(order.letters):,}.")
    if not 1 <= len(token) <= MOST_TOKEN:
        raise TokenReused(f"The idempotency token needs 1 to {MOST_TOKEN} characters.")
    if order.edit is not None and len(order.letters) != 1:
        raise NotAllowed("Only one letter is edited at a time.")
    if problem := order.sending.problem():
        raise NotAllowed(problem)


def start(
    cursor: CursorWrapper,
    number: int,
    order: Order,
    by: Asker,
    *,
    now: datetime,
    goes: Goes | None = None,
    found: Sorted | None = None,
) -> int:
    """Turn an operation's row into work: items, letters moved, audit, a hint to a worker. How many will be sent.

    `goes`: where a person saw them go. `found`: what was sorted out after the letters were locked. Raises
    NothingToSend, NotAllowed, Changed; the caller's transaction is rolled back then.
    """
    if found is None:
        freezing.lock(cursor, order.letters)
        found = sorted_out(cursor, order.letters, target=order.target, stands=order.stands)
    left_out = found.counts()
    later = set(order.leave_out) & set(found.letters)
    if later:
        left_out[NEWER] += len(later)
    n = len(found.letters) - len(later)
    if not n:
        raise NothingToSend(left_out)
    fits(n, order, left_out, n_unknown=len(set(order.unknown) & set(found.letters) - later))
    _leads(goes_to(found, later), goes)
    rights.refuse(cursor, {(goes.topic.id, goes.topic.name) for _, goes, _ in found.sent}, now=now)
    sent = _write(cursor, number, order, found, left_out, later, now=now)
    _record(cursor, order, number, sent, sum(left_out.values()), by, now=now)
    moved = move(cursor, sent, LetterStatus.RETRY_REQUESTED, out_of=order.stands, now=now)
    if len(moved) != n:
        raise RuntimeError("letters moved although they were locked")
    records.announce(number)
    transaction.on_commit(lambda: wake(number))
    return n


def _write(
    cursor: CursorWrapper,
    number: int,
    order: Order,
    found: Sorted,
    left_out: Mapping[str, int],
    later: Collection[int],
    *,
    now: datetime,
) -> list[int]:
    """The items, and what is known of the operation now; the letters' ids."""
    ends = bounds(order.sending.steps, len(found.letters) - len(later))
    sent = freezing.write_items(cursor, number, [each[:2] for each in found.sent], left_out=later, ends=ends)
    if (edit := order.edit) is not None:
        freezing.write_edit(cursor, number, value=edit.value, headers=edit.headers, reason=edit.reason)
    targets = {goes.topic.id for _, goes, _ in found.sent}
    operations.describe(
        cursor,
        number,
        status=int(OperationStatus.REQUESTED),
        letters=None,
        newer=[],
        name=order.name,
        selection=order.selection,
        left_out=left_out,
        target_name=order.target,
        target_topic_id=next(iter(targets)) if len(targets) == 1 else None,
        confirmed_at=now,
        cluster_id=found.sent[0][0].cluster_id,
        failure_groups=freezing.failure_groups(cursor, sent),
        n_items=len(sent),
        released=ends[0],
        sending=order.sending,
    )
    return sent


def _record(
    cursor: CursorWrapper, order: Order, number: int, sent: Sequence[int], n_out: int, by: Asker, *, now: datetime
) -> None:
    n, n_newer = len(sent), len(set(order.newer) & set(sent))
    anyway = f", {n_newer:,} of them although newer events of their keys were processed" if n_newer else ""
    operations.note(cursor, number, f"confirmed: {n:,} to send{anyway}", now=now, by=by.person_name)
    deed, reason = ("retry", "") if order.edit is None else ("edit and retry", order.edit.reason)
    facts: dict[str, int | str | None] = {"target": order.target, "name": order.name}
    if n_newer:
        facts["sent_after_newer"] = n_newer
    records.done(by, now, deed, number, reason=reason, letters=n, left_out=n_out, **facts)


def fits(n_sent: int, order: Order, left_out: Mapping[str, int], *, n_unknown: int) -> None:
    """Raises Changed where a person has not named the number that will be sent, though it must be, or another one."""
    if order.expect is not None:
        if order.expect != n_sent:
            why = "".join(f" {n:,} left out: {reason}" for reason, n in sorted(left_out.items())[:MOST_REASONS])
            raise Changed(f"{n_sent} can be sent, not {order.expect}.{why}")
    elif len(order.letters) > EXPECT_ABOVE:
        raise Changed(f"More than {EXPECT_ABOVE} dead letters need the expected number: {n_sent} can be sent.")
    elif n_unknown:
        raise Changed(
            f"Nobody saw whether newer events of the key were processed, for {n_unknown} of these."
            f" That needs the expected number: {n_sent} can be sent."
        )


def digest_of(order: Order) -> UUID:
    """What is asked for: letters, target, number, and how they are sent."""
    said = repr(
        (
            order.asked or order.letters,
            order.target,
            order.expect,
            order.sending,
            order.leave_out,
            order.sends_newer,
            order.edit,
        )
    ).encode()
    return UUID(bytes=hashlib.blake2b(said, digest_size=16).digest())


def _leads(goes: Goes, seen: Goes | None) -> None:
    if seen is not None and goes != seen:
        raise Changed("Where they would go changed since this page was made. Look again, then confirm.")


def goes_to(found: Sorted, left_out: Collection[int]) -> Goes:
    """Where those that are not left out go."""
    counted: Counter[int] = Counter()
    for kind, goes, _ in found.sent:
        counted[goes.topic.id] += len(set(kind.letters) - set(left_out))
    return tuple(sorted((topic, n) for topic, n in counted.items() if n))


def bound(order: Order, goes: Goes, *, n_order_unknown: int) -> str:
    """What a confirmation is bound to: what is asked for, and where that leads, and of how many nobody knows the order,
    as a person saw it.
    """
    said = f"{digest_of(order).hex} {goes!r} {n_order_unknown}".encode()
    return hashlib.blake2b(said, digest_size=16).hexdigest()
