"""What waits for a second person: a plan of many letters, or an edited copy. Who asked cannot approve."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import AT_ONCE
from collector.domain.dead_letters import OperationStatus
from collector.retry import drafts, edits, records, requests
from collector.retry.destinations import NEWER
from collector.retry.drafts import Draft
from collector.retry.edits import Changes, Edit
from collector.retry.records import Asker
from collector.retry.refusals import Changed, NoSuchPlan, NotAllowed, NothingToSend
from collector.retry.requests import Order, Requested
from collector.retry.standing import Standing, order_of, standing
from collector.store import freezing, operations
from collector.store.operations import DRAFT_HOURS, Operation

MOST_REASON = 500
COPY = "edited copy"  # the name of its operation


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as it stands now. `edit_reason`: why a copy was edited; "" where nothing was."""

    draft: Draft
    digest: str
    edit_reason: str


def ask_for_edit(
    letter: int,
    edit: Edit,
    by: Asker,
    *,
    token: str,
    now: datetime,
    target: str | None = None,
    expect: int | None = 1,
    sends_newer: bool = False,
) -> Requested:
    """Keep an edited copy until a second person decides; once per click. Raises a Refusal, as a retry would."""
    selection = records.in_words((letter,))
    order = Order((letter,), target, expect, sends_newer=sends_newer, name=COPY, selection=selection, edit=edit)
    noted = records.refusals(by, now, "ask for approval", records.subject_of(order.letters))
    with noted, transaction.atomic(), connection.cursor() as cursor:
        requests.check(order, token=token)
        digest = requests.digest_of(order)
        number, is_new, _ = operations.begin(
            cursor,
            token=f"{token} {digest.hex}",
            plan=digest,
            person_id=by.person_id,
            person_name=by.person_name,
            status=OperationStatus.ASKED,
            now=now,
        )
        if is_new:
            seen = requests.looked_at(cursor, order)
            if seen.newer and not sends_newer:
                raise NothingToSend({NEWER: 1})
            requests.fits(1, order, {}, n_unknown=len(seen.unknown))
            operations.describe(
                cursor,
                number,
                letters=[letter],
                selection=order.selection,
                name=order.name,
                n_items=1,
                sending=AT_ONCE,
                newer=list(seen.newer),
                n_order_unknown=len(seen.unknown),
                order_known_from=seen.known_from,
                leaves_newer_out=not sends_newer,
                target_name=target,
            )
            freezing.keep_edit(cursor, number, value=edit.value, headers=edit.headers, reason=edit.reason)
            records.asked(cursor, number, 1, by, now=now, reason=edit.reason)
    return Requested(number, repeated=not is_new)


def asked(number: int, *, now: datetime) -> Asked:
    """What a second person decides about. Raises NoSuchPlan."""
    with transaction.atomic(), connection.cursor() as cursor:
        found = _asked(cursor, number, now=now)
        edit = _edit(cursor, number)
        made = drafts.drafted(cursor, found, now=now)
    return Asked(made, _bound(made, edit), edit.reason if edit else "")


def changes(number: int, *, now: datetime) -> Changes:
    """What an edited copy that waits changes of the bytes, as it may be seen. Raises NoSuchPlan, NotEditable."""
    with transaction.atomic(), connection.cursor() as cursor:
        found, edit = _asked(cursor, number, now=now), _edit(cursor, number)
    return edits.difference(found.letters[0], edit) if edit else Changes((), ())


def approve(number: int, by: Asker, *, digest: str, now: datetime) -> Requested:
    """Send what was asked for. Raises NoSuchPlan, NotAllowed, Changed, NothingToSend; a refusal is audited."""
    with records.refusals(by, now, "approve retry", f"retry {number}"):
        with transaction.atomic(), connection.cursor() as cursor:
            if _asked(cursor, number, now=now).person_id == by.person_id:
                raise NotAllowed("Who asked cannot approve. Ask somebody else with the operator role.")
        drafts.look_again(partial(_asked, number=number, now=now), now=now)
        with transaction.atomic(), connection.cursor() as cursor:
            _send(cursor, _asked(cursor, number, now=now, lock=True), by, digest=digest, now=now)
    return Requested(number, repeated=False)


def _send(cursor: CursorWrapper, found: Operation, by: Asker, *, digest: str, now: datetime) -> None:
    number = found.id
    freezing.lock(cursor, found.letters)
    made, edit = standing(cursor, found), _edit(cursor, number)
    if made.target_error:
        raise NotAllowed(made.target_error)
    order = _order(made, edit)
    if _bound(made, edit) != digest:
        raise Changed("What would be sent changed since this page was made. Look again, then decide.")
    freezing.forget_edit(cursor, number)
    said = f"asked for by {found.person_name}"
    records.done(by, now, "approve retry", number, reason=said, letters=made.n)
    requests.start(cursor, number, order, by, now=now, goes=made.goes, found=made.found)


def refuse(number: int, by: Asker, *, reason: str, now: datetime) -> None:
    """Send nothing: a second person says no, or who asked takes it back. Raises NoSuchPlan."""
    noted = records.refusals(by, now, "refuse retry", f"retry {number}")
    with noted, transaction.atomic(), connection.cursor() as cursor:
        found = _asked(cursor, number, now=now, lock=True)
        is_own = found.person_id == by.person_id
        said = reason.strip()[:MOST_REASON]
        sentence = f"{'Taken back' if is_own else 'Refused'} by {by.person_name}{f': {said}' if said else '.'}"
        operations.move(
            cursor, number, OperationStatus.CANCELLED, out_of=[OperationStatus.ASKED], now=now, reason=sentence
        )
        freezing.forget_edit(cursor, number)
        operations.note(cursor, number, sentence, now=now, by=by.person_name)
        records.done(by, now, "take back retry" if is_own else "refuse retry", number, reason=said)
        records.announce(number)


def _asked(cursor: CursorWrapper, number: int, *, now: datetime, lock: bool = False) -> Operation:
    found = operations.operation(cursor, number, lock=lock) if 0 < number < 2**63 else None
    if found is None or found.status is not OperationStatus.ASKED:
        raise NoSuchPlan("Nothing waits for approval here: it was decided, or taken back.")
    if now - found.created_at > timedelta(hours=DRAFT_HOURS):
        raise NoSuchPlan(f"Expired after {DRAFT_HOURS} h. Ask again.")
    return found


def _edit(cursor: CursorWrapper, number: int) -> Edit | None:
    kept = freezing.kept_edit(cursor, number)
    return Edit(*kept) if kept else None


def _bound(made: Draft | Standing, edit: Edit | None) -> str:
    return requests.bound(_order(made, edit), made.goes, n_order_unknown=made.operation.n_order_unknown)


def _order(made: Draft | Standing, edit: Edit | None) -> Order:
    return replace(order_of(made.operation, made.n), edit=edit)
