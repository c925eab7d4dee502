"""What of a plan can be sent as things stand, and what its confirmation is bound to."""

from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.retry import requests
from collector.retry.destinations import NEWER, Sorted, sorted_out
from collector.retry.refusals import NotAllowed
from collector.retry.requests import Goes, Order
from collector.store import freezing
from collector.store.operations import Operation

TYPE_ABOVE = 100  # events that are confirmed without typing their number


@dataclass(frozen=True, slots=True)
class Standing:
    """`later`: letters that stay for newer events of their keys. `n`: how many would be sent.

    `left_out`: sentence -> how many. `must_type`: the number is asked for. `target_error`: why nothing can go there.
    """

    operation: Operation
    found: Sorted
    later: frozenset[int]
    left_out: dict[str, int]
    n: int
    goes: Goes
    digest: str
    must_type: bool
    target_error: str


def standing(cursor: CursorWrapper, plan: Operation) -> Standing:
    """How the plan stands now. Four statements."""
    error = ""
    try:
        found = sorted_out(cursor, plan.letters, target=plan.target)
    except NotAllowed as refusal:
        error = str(refusal)
        found = Sorted((), {error: plan.letters})
    left_out = found.counts()
    later = frozenset(set(plan.newer) & set(found.letters)) if plan.leaves_newer_out else frozenset[int]()
    if later:
        left_out[NEWER] += len(later)
    n = len(found.letters) - len(later)
    goes = requests.goes_to(found, later)
    return Standing(
        operation=plan,
        found=found,
        later=later,
        left_out=dict(left_out),
        n=n,
        goes=goes,
        digest=requests.bound(order_of(plan, n), goes, n_order_unknown=plan.n_order_unknown),
        must_type=n > TYPE_ABOVE or plan.n_order_unknown > 0 or _reaches_others(cursor, found, later),
        target_error=error,
    )


def _reaches_others(cursor: CursorWrapper, found: Sorted, later: frozenset[int]) -> bool:
    """Whether a group, other than Weir's own, gets copies of what it did not fail."""
    sent = [(kind.group_id, goes.topic) for kind, goes, _ in found.sent if not later.issuperset(kind.letters)]
    failed = {(topic.id, group) for group, topic in sent}
    others = {group for _, topic in sent for group in topic.readers if (topic.id, group) not in failed}
    return bool(freezing.group_names(cursor, others))


def order_of(plan: Operation, n: int) -> Order:
    """What the plan asks for."""
    return Order(
        letters=plan.letters,
        target=plan.target,
        expect=n,
        sending=plan.sending,
        newer=plan.newer,
        sends_newer=not plan.leaves_newer_out,
        name=plan.name,
        selection=plan.selection,
    )
