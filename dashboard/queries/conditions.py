"""Health as colour, shape and word (ok, degraded, failing, idle, unknown), each with the sentence that explains it."""

from collections.abc import Sequence
from dataclasses import dataclass

FAILING_SHARE, DEGRADED_SHARE = 0.05, 0.01
_ORDER = ("failing", "degraded", "ok", "unknown", "idle")


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
    lost: int
    n_uncommitted: int
    verdict: str
    since: object | None = None


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


def of_verdict(verdict: str) -> Health:
    """Health of a consumer group's verdict (ux: 4.2)."""
    return _BY_VERDICT.get(verdict, Health("unknown", "not enough samples yet"))


def of_edge(messages: int | None, errors: int | None, behind: Behind | None) -> Health:
    """Health of one edge: its failed share over the window, or its group's verdict, whichever is worse."""
    verdict = of_verdict(behind.verdict) if behind else None
    failed = _failures(messages, errors)
    known = [health for health in (failed, verdict) if health is not None]
    return worst(known) if known else Health("ok", "traced, nothing failed")


def worst(healths: Sequence[Health]) -> Health:
    """The worst of them; ok when there are none."""
    return min(healths, key=lambda health: _ORDER.index(health.level), default=Health("ok", "nothing is wrong"))


def _failures(messages: int | None, errors: int | None) -> Health | None:
    if not messages or not errors:
        return None
    share = errors / messages
    if share <= DEGRADED_SHARE:
        return None
    level = "failing" if share > FAILING_SHARE else "degraded"
    return Health(level, f"{errors:,} of {messages:,} failed")
