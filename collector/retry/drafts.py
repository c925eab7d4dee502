"""Plans of many: frozen at a click, changed in four steps, confirmed once. Until then nothing is sent or locked.

A draft belongs to one person. What it will do is bound by a digest, so that nobody confirms what they did not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import CAREFUL, Sending
from collector.domain.dead_letters import OperationStatus
from collector.retry import consent, records, requests, rights
from collector.retry.blast import Blast, blast
from collector.retry.choices import Choice, choices
from collector.retry.destinations import sorted_out
from collector.retry.records import Asker
from collector.retry.refusals import AlreadySent, Changed, Expired, NoSuchPlan, NotAllowed, NothingToSend, Refusal
from collector.retry.requests import Goes, Order, Requested
from collector.retry.standing import Standing, order_of, standing
from collector.store import freezing, key_order, operations
from collector.store.operations import DRAFT_HOURS, Operation

__all__ = ["DRAFT_HOURS", "Draft", "choose", "confirm", "discard", "draft", "freeze", "pace", "targets"]

LOOK_AGAIN_AFTER = timedelta(minutes=1)  # a plan this old is compared with the letters' order as it is now
MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan as it stands. `n`: how many would be sent; `digest` binds a confirmation to just this.

    `left_out`: sentence -> how many, also of those that changed since. `must_type`: the number is asked for.
    """

    operation: Operation
    n: int
    n_keys: int
    left_out: dict[str, int]
    blast: Blast
    goes: Goes
    digest: str
    must_type: bool
    target: str | None
    target_error: str
    cluster: str  # where it would go; "" where nothing would


def freeze(
    letters: Sequence[int], by: Asker, *, token: str, selection: str, target: str | None = None, now: datetime
) -> Requested:
    """Freeze this selection as a draft: once per click. Nothing is sent, nothing is taken from others."""
    wanted = tuple(sorted(set(letters)))
    order = Order(wanted, target, None, CAREFUL)
    try:
        requests.check(order, token=token)
        if not wanted:
            raise NothingToSend({})
        digest = requests.digest_of(order)
        with transaction.atomic(), connection.cursor() as cursor:
            number, is_new, _ = operations.begin(
                cursor,
                token=f"{token} {digest.hex}",  # an older page may freeze another selection with its token
                plan=digest,
                person_id=by.person_id,
                person_name=by.person_name,
                status=OperationStatus.DRAFT,
                now=now,
            )
            if is_new:
                _write(cursor, number, wanted, by, selection=selection, target=target, now=now)
            return Requested(number, repeated=not is_new)
    except Refusal as error:
        records.refused(by, now, subject=records.subject_of(wanted), reason=str(error), letters=len(wanted))
        raise


def _write(
    cursor: CursorWrapper,
    number: int,
    wanted: Sequence[int],
    by: Asker,
    *,
    selection: str,
    target: str | None,
    now: datetime,
) -> None:
    found = sorted_out(cursor, wanted, target=target)
    left_out = found.counts()
    order = key_order.order_of(cursor, found.letters)
    rights.looked_up(cursor, {goes.topic.id for _, goes, _ in found.sent}, now=now)
    operations.describe(
        cursor,
        number,
        letters=list(wanted),
        selection=selection,
        left_out=left_out,
        newer=list(order.newer),
        n_order_unknown=len(order.unknown),
        order_known_from=order.known_from,
        target_name=target,
        n_items=len(found.letters),
        sending=CAREFUL,
    )
    operations.note(cursor, number, f"frozen: {len(found.letters):,} of {len(wanted):,}", now=now, by=by.person_name)
    records.done(by, now, "freeze", number, letters=len(found.letters), left_out=sum(left_out.values()), target=target)


def draft(number: int, by: Asker, *, now: datetime, looks_at_blast: bool = False) -> Draft:
    """The plan as it stands now. Raises NoSuchPlan, also for somebody else's; AlreadySent for a confirmed one.

    `looks_at_blast`: the person is shown what it would do, without which it cannot be confirmed.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        found = _own(cursor, number, by, now=now)
        if looks_at_blast and found.looked_at is None:
            operations.describe(cursor, number, looked_at=now)
            found = replace(found, looked_at=now)
        return drafted(cursor, found, now=now)


def targets(number: int, by: Asker, *, now: datetime) -> tuple[Choice, ...]:
    """Where the plan's letters could go. Raises NoSuchPlan, AlreadySent."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = _own(cursor, number, by, now=now)
        return choices(cursor, found.letters, chosen=found.target)


def _own(cursor: CursorWrapper, number: int, by: Asker, *, now: datetime, lock: bool = False) -> Operation:
    found = operations.operation(cursor, number, lock=lock) if 0 < number < 2**63 else None
    if found is None or found.person_id != by.person_id:
        raise NoSuchPlan(NoSuchPlan.__doc__)
    if found.status is not OperationStatus.DRAFT:
        raise AlreadySent(number)
    if now - found.created_at > timedelta(hours=DRAFT_HOURS):
        raise Expired(f"Expired after {DRAFT_HOURS} h: what it froze has changed since. Freeze again.")
    return found


def drafted(cursor: CursorWrapper, found: Operation, *, now: datetime) -> Draft:
    """What the plan would do now."""
    stands = standing(cursor, found)
    seen = blast(cursor, stands.found, left_out=stands.later, now=now)
    return Draft(
        operation=found,
        n=stands.n,
        n_keys=seen.n_keys,
        left_out=stands.left_out,
        blast=seen,
        goes=stands.goes,
        digest=stands.digest,
        must_type=stands.must_type,
        target=found.target,
        target_error=stands.target_error,
        cluster=stands.found.sent[0][0].cluster if stands.found.sent else "",
    )


def choose(
    number: int,
    by: Asker,
    *,
    now: datetime,
    target: str | None,
    leaves_newer_out: bool,
) -> bool:
    """Step 2: where to, and whether letters with newer events of their key stay. Raises NoSuchPlan, NotAllowed.

    Whether the target is another one than before: who gets the events must be looked at again then, and the order of
    those letters that could go nowhere else. Raises Changed where somebody else chose meanwhile.
    """
    with records.refusals(by, now, "choose target", f"retry {number}", target=target):
        read = partial(_own, number=number, by=by, now=now)
        with transaction.atomic(), connection.cursor() as cursor:
            before = read(cursor)
            sorted_now = sorted_out(cursor, before.letters, target=target)  # refuses what may not be sent to
            order = key_order.order_of(cursor, sorted_now.letters) if target != before.target else None
        with transaction.atomic(), connection.cursor() as cursor:
            found = read(cursor, lock=True)
            if found.target != before.target:
                raise Changed("Another target was chosen meanwhile. Look again, then choose.")
            operations.describe(cursor, number, target_name=target, leaves_newer_out=leaves_newer_out)
            if order is not None:
                operations.describe(cursor, number, looked_at=None)
                _take_in(cursor, found, order)
    return order is not None


def pace(number: int, by: Asker, *, now: datetime, sending: Sending) -> None:
    """Step 3: how it is sent. Raises NoSuchPlan, NotAllowed."""
    noted = records.refusals(by, now, "choose pace", f"retry {number}")
    with noted, transaction.atomic(), connection.cursor() as cursor:
        if problem := sending.problem():
            raise NotAllowed(problem)
        _own(cursor, number, by, now=now, lock=True)
        operations.describe(cursor, number, sending=sending)


def confirm(number: int, by: Asker, *, now: datetime, digest: str, typed: str, name: str) -> Requested:
    """Step 4: send it. Raises AlreadySent, Changed, NothingToSend, NoSuchPlan, NotAllowed; a refusal is audited."""
    with records.refusals(by, now, "retry", f"retry {number}"):
        look_again(partial(_own, number=number, by=by, now=now), now=now)
        with transaction.atomic(), connection.cursor() as cursor:
            found = _own(cursor, number, by, now=now, lock=True)
            freezing.lock(cursor, found.letters)
            stands = standing(cursor, found)
            _agreed(stands, digest=digest, typed=typed)
            order = replace(order_of(found, stands.n), name=name.strip()[:MOST_NAME])
            if consent.needed(stands.n, edited=False):
                _ask(cursor, number, order, by, now=now)
            else:
                requests.start(cursor, number, order, by, now=now, goes=stands.goes, found=stands.found)
        return Requested(number, repeated=False)


def _ask(cursor: CursorWrapper, number: int, order: Order, by: Asker, *, now: datetime) -> None:
    """Let it wait for a second person."""
    n = order.expect or 0
    operations.describe(cursor, number, status=int(OperationStatus.ASKED), name=order.name, n_items=n)
    records.asked(cursor, number, n, by, now=now)


def discard(number: int, by: Asker, *, now: datetime) -> None:
    """Throw the plan away. Raises NoSuchPlan, AlreadySent."""
    noted = records.refusals(by, now, "discard plan", f"retry {number}")
    with noted, transaction.atomic(), connection.cursor() as cursor:
        _own(cursor, number, by, now=now, lock=True)
        operations.discard(cursor, number)
        records.done(by, now, "discard plan", number)


def _agreed(made: Standing, *, digest: str, typed: str) -> None:
    if made.operation.looked_at is None:
        raise Changed("Look at step 2 first: it says who will get these events.")
    if made.target_error:
        raise NotAllowed(made.target_error)
    if digest != made.digest:
        raise Changed("The plan changed since this page was made. Look again, then confirm.")
    if made.must_type and typed.strip().replace(",", "") != str(made.n):
        raise Changed(f"Type {made.n} to confirm.")


class _Reads(Protocol):
    def __call__(self, cursor: CursorWrapper, *, lock: bool = False) -> Operation:
        """The plan as it stands."""


def look_again(read: _Reads, *, now: datetime) -> None:
    """In an older plan newer events may have been processed meanwhile: then its digest changes. What is found stays,
    also where the plan is refused then; nothing is locked while it is looked for, and where the time was up the plan
    stays as it is.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        found = read(cursor)
        if now - found.created_at < LOOK_AGAIN_AFTER:
            return
        try:
            letters = sorted_out(cursor, found.letters, target=found.target).letters
        except NotAllowed:
            return  # the plan says so itself, and is not sent
        order = key_order.order_of(cursor, letters)
    if not order.in_time:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        now_found = read(cursor, lock=True)
        if now_found.target == found.target:
            _take_in(cursor, now_found, order)


def _take_in(cursor: CursorWrapper, found: Operation, order: key_order.Order) -> None:
    operations.describe(
        cursor,
        found.id,
        newer=sorted({*found.newer, *order.newer}),
        n_order_unknown=len(order.unknown),
        order_known_from=order.known_from,
    )
