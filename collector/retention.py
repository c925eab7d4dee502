"""What is kept, by age and by the disk budget; whatever is dropped is said on Health and in the audit log."""

from datetime import datetime

from django.conf import settings

from collector import audit
from collector.changes import announce
from collector.store import budget, closing
from collector.store.budget import MOST_KEPT_SHARE, Usage
from collector.store.closing import Ended

MOST_AT_ONCE = 50  # groups of leaves in one check


def drop_old(now: datetime) -> None:
    """Drop what is older than its retention. Not inside a transaction."""
    for gone in closing.drop_expired(now):
        _say(gone, reason="age", now=now)


def keep_within_budget(now: datetime) -> None:
    """Drop the oldest, in the order of what is missed least, until the budget is kept. Not inside a transaction."""
    limit = settings.WEIR_DISK_BUDGET or None
    found = budget.usage()
    for _ in range(MOST_AT_ONCE):
        if limit is None or found.used_bytes <= limit:
            break
        gone = budget.first_to_go(now)
        if gone is None:
            break
        for leaf in gone.leaves:
            closing.drop(leaf)
        _say(gone, reason="budget", now=now)
        found = budget.usage()
    budget.note_check(found, budget_bytes=limit, problem=_problem(found, limit), now=now)


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
        return f"Dead letters alone take {share} % of the disk budget. Raise WEIR_DISK_BUDGET, or settle some."
    if found.used_bytes > limit:
        return "More is stored than the disk budget allows, and nothing more may be dropped. Raise WEIR_DISK_BUDGET."
    return ""
