"""Health as colour, shape and word (ok, degraded, failing, idle, unknown), each with the sentence that explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FAILING_SHARE, DEGRADED_SHARE = 0.05, 0.01
REBALANCE_PATIENCE = timedelta(seconds=60)
MARKERS, OPEN_TRANSACTION = "markers", "open transaction"  # words of group_now.notes
ORDER = ("failing", "degraded", "ok", "unknown", "idle")


@dataclass(frozen=True, slots=True)
class Health:
    """A level and why."""

    level: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Behind:
    """How far a group is behind on a topic, as the sampler last said. None is unknown."""

    lag: int | None
    lag_seconds: float | None
    lag_seconds_margin: float | None
    lost: int | None
    n_uncommitted: int
    verdict: str
    since: datetime | None = None
    from_record: bool = False  # `lag_seconds` is by a record's own timestamp, else by interpolation
    n_judged: int = 0  # partitions that the verdict was found on
    notes: Mapping[str, str] = field(default_factory=dict)  # partition -> MARKERS or OPEN_TRANSACTION
    moved_at: datetime | None = None


PAST = "PAST"  # stands where a verdict would, in a window that is over
_BY_VERDICT = {
    "OK": Health("ok", "keeping up"),
    "SLOW": Health("degraded", "commits, but its lag never falls"),
    "STALLED": Health("failing", "no progress with events waiting"),
    "STOPPED": Health("failing", "no members, and events are waiting"),
    "REWOUND": Health("degraded", "its committed offset went back"),
    "REBALANCING": Health("degraded", "members are joining"),
    PAST: Health("unknown", "whether it kept up is only judged live"),
    "NO COMMITS": Health("unknown", "has never committed"),
}


_FINE = Health("ok", "traced, nothing failed")


def of_verdict(verdict: str) -> Health:
    """Health of a consumer group's verdict (ux: 4.2)."""
    return _BY_VERDICT.get(verdict, Health("unknown", "not enough samples yet"))


def of_behind(behind: Behind, *, as_of: datetime | None) -> Health:
    """Health of a group on a topic, with the partitions and the reasons. A rebalance is no news for a minute."""
    health, notes = of_verdict(behind.verdict), behind.notes.values()
    if behind.verdict == "REBALANCING" and behind.since and as_of and as_of - behind.since < REBALANCE_PATIENCE:
        return Health("ok", health.sentence)
    if behind.verdict in {"STALLED", "STOPPED"} and OPEN_TRANSACTION in notes:
        return Health(health.level, "blocked by an open transaction")
    if behind.verdict == "OK" and MARKERS in notes:
        return Health(health.level, f"{health.sentence}, within transaction markers")
    if behind.verdict in {"STALLED", "STOPPED", "REWOUND"} and behind.n_judged:
        on = "1 partition" if behind.n_judged == 1 else f"{behind.n_judged:,} partitions"
        return Health(health.level, f"{health.sentence} on {on}")
    return health


def of_edge(messages: int | None, errors: int | None, behind: Behind | None, *, as_of: datetime | None) -> Health:
    """Health of one edge: its failed share over the window, or its group's verdict, whichever is worse."""
    verdict = of_behind(behind, as_of=as_of) if behind else None
    failed = of_failures(messages, errors)
    if failed and verdict:
        return worst([failed, verdict])
    return failed or verdict or _FINE


def worst(healths: Sequence[Health]) -> Health:
    """The worst of them; ok when there are none."""
    if len(healths) == 1:
        return healths[0]
    return min(healths, key=lambda health: ORDER.index(health.level), default=Health("ok", "nothing is wrong"))


def of_failures(messages: int | None, errors: int | None) -> Health | None:
    """Health by the share that failed; None where too little did to speak of, or nothing is known."""
    if not messages or not errors:
        return None
    share = errors / messages
    if share <= DEGRADED_SHARE:
        return None
    level = "failing" if share > FAILING_SHARE else "degraded"
    return Health(level, f"{errors:,} of {messages:,} failed")
