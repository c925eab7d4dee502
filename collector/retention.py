"""What is kept, by age and by the disk budget; whatever is dropped is said on Health and in the audit log."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings

from collector import audit
from collector.changes import announce
from collector.domain import clock_jumps
from collector.store import age_checks, budget, closing, early_end, forgotten_names
from collector.store.budget import MOST_KEPT_SHARE, Usage
from collector.store.closing import Ended, Leaf, StillRead

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50  # groups of leaves in one check


def drop_old(now: datetime) -> None:
    """Drop what is older than its retention, and names that nothing refers to any more. Not inside a transaction.

    Where the clock is doubted nothing goes, and Health says so: one jump must not empty the store.
    """
    watch = clock_jumps.watched(age_checks.last_watch(), now=now)
    problem = clock_jumps.doubt(watch, newest=age_checks.newest_of_itself(now))
    if not problem:
        _close(now)
        found = closing.drop_expired(now)
        for gone in found.gone:
            _say(gone, reason="age", now=now)
        closing.forget_old(now)
        forgotten_names.forget(now)
        problem = _stuck(found.stuck)
    age_checks.note(watch, problem)


def keep_within_budget(now: datetime) -> None:
    """Drop the oldest, in the order of what is missed least, until the budget is kept. Not inside a transaction.

    What fills faster than was thought ends early, so that it can go.
    """
    limit = settings.WEIR_DISK_BUDGET or None
    early_end.end_early(now, budget_bytes=limit)  # what an earlier run began it brings to an end without a budget, too
    found = budget.usage()
    if limit is not None and found.used_bytes > limit:
        _close(now)
    stuck: list[Leaf] = []
    for _ in range(MOST_AT_ONCE):
        if limit is None or found.used_bytes <= limit:
            break
        gone = budget.first_to_go(now, but=[leaf.name for leaf in stuck])
        if gone is None:
            break
        kept = _not_dropped(gone.leaves)
        stuck += kept
        if len(kept) < len(gone.leaves):
            _say(gone, reason="budget", now=now)
        found = budget.usage()
    problem = " ".join(filter(None, (_problem(found, limit), _stuck(stuck))))
    budget.note_check(found, budget_bytes=limit, problem=problem, now=now)


def _close(now: datetime) -> None:
    """First what goes is closed, where nobody was there to do it; what cannot be must not keep the disk full."""
    try:
        closing.close_full(now)
    except Exception:
        log.exception("Not all that ended is closed; it is tried again.")


def _not_dropped(leaves: Iterable[Leaf]) -> list[Leaf]:
    stuck = []
    for leaf in leaves:
        try:
            closing.drop(leaf)
        except StillRead:
            stuck.append(leaf)
    return stuck


def _stuck(leaves: Sequence[Leaf]) -> str:
    """Which parts of which tables should have gone, and why they did not; "" where there are none."""
    if not leaves:
        return ""
    tables = ", ".join(sorted({leaf.table for leaf in leaves}))
    return f"Old data of {tables} could not be dropped: a query has held it for long. It is tried again."


def _say(gone: Ended, *, reason: str, now: datetime) -> None:
    budget.note_drop(gone, reason=reason, now=now)
    audit.append(
        at=now,
        person_id=None,
        person_name="Weir",
        action="drop data",
        object=gone.kind,
        result="done",
        reason="older than its retention" if reason == "age" else "the disk budget",
        facts={
            "from": gone.from_at.isoformat(),
            "to": gone.to_at.isoformat(),
            "n_bytes": gone.n_bytes,
            "leaves": [leaf.name for leaf in gone.leaves],
        },
    )
    announce("health")


def _problem(found: Usage, limit: int | None) -> str:
    """Why the budget cannot be kept, and what to do; "" where it is."""
    if limit is None:
        return ""
    if found.kept_bytes > limit * MOST_KEPT_SHARE:
        share = round(100 * found.kept_bytes / limit)
        return (
            f"Dead letters and kept paths alone take {share} % of the disk budget, and are never dropped for it. Raise"
            " WEIR_DISK_BUDGET, or let paths go. Until then no path is kept."
        )
    if found.used_bytes > limit:
        return "More is stored than the disk budget allows, and nothing more may be dropped. Raise WEIR_DISK_BUDGET."
    return ""
