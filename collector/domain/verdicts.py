"""What a consumer group's samples mean: numbered rules without thresholds, over a short window of standings."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise, zip_longest

PATIENCE_SECONDS = 30  # clients commit every few seconds only: a shorter window cannot tell rules 5 to 7


@dataclass(frozen=True, slots=True)
class Standing:
    """A group on one topic at one time. `state` is Kafka's word for the group (Stable, Empty, …).

    Element p of `committed` and `lags` is partition p. A lag is None where it is unknown, and where nothing was ever
    committed; it is 0 where the offsets left hold no record that could be read (transaction markers).
    """

    at: float
    state: str
    n_members: int
    committed: Sequence[int | None]
    lags: Sequence[int | None]


class Verdict(Enum):
    """What a window of standings means, by the numbered rules of `judgement`; the values are the words people read."""

    NO_COMMITS = "NO COMMITS"
    REBALANCING = "REBALANCING"
    REWOUND = "REWOUND"
    OK = "OK"
    STOPPED = "STOPPED"
    STALLED = "STALLED"
    SLOW = "SLOW"


RULES = {
    Verdict.NO_COMMITS: (1, "no partition has a committed offset"),
    Verdict.REBALANCING: (2, "the group is handing out partitions right now"),
    Verdict.REWOUND: (3, "a committed offset fell and is still below where it was"),
    Verdict.OK: (4, "nothing was left to read at some time in the window, or what is left does not only grow"),
    Verdict.STOPPED: (5, "events wait, nothing was committed in the window, and the group has no members"),
    Verdict.STALLED: (6, "events wait and nothing was committed in the window, although the group has members"),
    Verdict.SLOW: (7, "it commits, but the lag rose over the window and never fell in it"),
}
_REBALANCING = {"PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "Rebalancing"}
_WORST_FIRST = (Verdict.STOPPED, Verdict.STALLED, Verdict.REWOUND)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the partitions it was found on."""

    verdict: Verdict
    partitions: tuple[int, ...]


def judgement(window: Sequence[Standing], *, patience_seconds: float = PATIENCE_SECONDS) -> Judgement | None:
    """The verdict on a group on one topic, over standings ordered by time.

    1 NO COMMITS   no partition has a committed offset
    2 REBALANCING  the group is handing out partitions right now

    then partition by partition, the worst of them (5, 6, 3) being that of the topic:

    3 REWOUND      its committed offset fell and is still below where it was
    4 OK           its lag was 0 at some time in the window
    5 STOPPED      it has lag, nothing was committed in the window, and the group has no members
    6 STALLED      the same, with members

    and where no partition has a 3, 5 or 6, over the sum of all partitions (one partition's own lag jumps with the
    order in which records are fetched):

    4 OK           the lag was 0 at some time in the window
    7 SLOW         it rose over the window and never fell in it
    4 OK           everything else

    None where that cannot be told: no standing, an unknown lag, or a window too short for rules 5 to 7.
    """
    if not window:
        return None
    newest = window[-1]
    committed = tuple(partition for partition, offset in enumerate(newest.committed) if offset is not None)
    if not committed:
        return Judgement(Verdict.NO_COMMITS, tuple(range(len(newest.committed))))
    if newest.state in _REBALANCING:
        return Judgement(Verdict.REBALANCING, committed)
    found = _found(window, committed, patience_seconds)
    for word in _WORST_FIRST:
        if word in found:
            return Judgement(word, tuple(found[word]))
    if None in found:
        return None
    return _of_sum(window, committed, patience_seconds)


def _found(
    window: Sequence[Standing], committed: Sequence[int], patience_seconds: float
) -> dict[Verdict | None, list[int]]:
    """Partitions by their verdicts, of_partition's, but that OK stands for rule 7, too, which is about the sum.

    All at once where nothing was committed: most groups, mostly.
    """
    found: dict[Verdict | None, list[int]] = {}
    newest = window[-1]
    if any(standing.committed != newest.committed for standing in window):
        commits = list(zip_longest(*[standing.committed for standing in window]))
        lags = list(zip_longest(*[standing.lags for standing in window]))
        patient = newest.at - window[0].at >= patience_seconds
        waiting = (Verdict.STALLED if newest.n_members else Verdict.STOPPED) if patient else None
        words = [
            _moving(commits[number], lags[number] if number < len(lags) else (None,), waiting=waiting, patient=patient)
            for number in committed
        ]
        if words.count(words[0]) == len(words):  # mostly; a dict asks an enum's hash, which is slow, for each
            return {words[0]: list(committed)}
        for partition, word in zip(committed, words, strict=True):
            found.setdefault(word, []).append(partition)
        return found
    at_end = {number for standing in window if 0 in standing.lags for number in _zeros(standing.lags)}
    is_short = newest.at - window[0].at < patience_seconds
    waiting = None if is_short else Verdict.STALLED if newest.n_members else Verdict.STOPPED
    for partition in committed:
        unread = _at(newest.lags, partition)
        word = None if unread is None else Verdict.OK if partition in at_end else waiting
        found.setdefault(word, []).append(partition)
    return found


def _moving(
    offsets: Sequence[int | None], lags: Sequence[int | None], *, waiting: Verdict | None, patient: bool
) -> Verdict | None:
    """Rules 3 to 6 for one partition, whose newest offset is known, by its offsets and lags over the window."""
    newest = offsets[-1]
    known = offsets if None not in offsets else [offset for offset in offsets if offset is not None]
    if newest is not None and newest < max(known):  # type: ignore[operator, type-var]  # none is None
        return Verdict.REWOUND
    if lags[-1] is None:
        return None
    if 0 in lags:
        return Verdict.OK
    if not patient:
        return None
    return waiting if offsets.count(newest) == len(offsets) else Verdict.OK


def _zeros(lags: Sequence[int | None]) -> list[int]:
    return [number for number, lag in enumerate(lags) if lag == 0]


def of_partition(
    window: Sequence[Standing], partition: int, *, patience_seconds: float = PATIENCE_SECONDS
) -> Verdict | None:
    """The verdict on one partition by the same rules, rule 7 over its own lag. None where it cannot be told."""
    offsets = _values([standing.committed for standing in window], partition)
    if not window:
        return None
    if offsets[-1] is None:
        return Verdict.NO_COMMITS
    if window[-1].state in _REBALANCING:
        return Verdict.REBALANCING
    if offsets[-1] < max(offset for offset in offsets if offset is not None):
        return Verdict.REWOUND
    return _of_lag(window, partition, is_still=offsets.count(offsets[-1]) == len(offsets), patience=patience_seconds)


def _of_lag(window: Sequence[Standing], partition: int, *, is_still: bool, patience: float) -> Verdict | None:
    """Rules 4 to 7 for one partition."""
    lags = _values([standing.lags for standing in window], partition)
    if lags[-1] is None:
        return None
    if 0 in lags:
        return Verdict.OK
    if window[-1].at - window[0].at < patience:
        return None
    if is_still:
        return Verdict.STALLED if window[-1].n_members else Verdict.STOPPED
    return Verdict.SLOW if _only_rose(lags) else Verdict.OK


def _of_sum(window: Sequence[Standing], committed: Sequence[int], patience_seconds: float) -> Judgement | None:
    sums = [_sum(standing, committed) for standing in window]
    if 0 in sums:
        return Judgement(Verdict.OK, tuple(committed))
    if window[-1].at - window[0].at < patience_seconds:
        return None
    if not _only_rose(sums):
        return Judgement(Verdict.OK, tuple(committed))
    first, last = window[0].lags, window[-1].lags
    rising = tuple(number for number in committed if (_at(last, number) or 0) > (_at(first, number) or 0))
    return Judgement(Verdict.SLOW, rising)


def _sum(standing: Standing, partitions: Sequence[int]) -> int | None:
    if len(partitions) == len(standing.lags) and None not in standing.lags:
        return sum(standing.lags)  # type: ignore[arg-type]  # none is None
    lags = [_at(standing.lags, partition) for partition in partitions]
    known = [lag for lag in lags if lag is not None]
    return sum(known) if len(known) == len(lags) else None


def _only_rose(lags: Sequence[int | None]) -> bool:
    known = [lag for lag in lags if lag is not None]
    return len(known) > 1 and known[0] < known[-1] and all(before <= after for before, after in pairwise(known))


def _values(rows: Sequence[Sequence[int | None]], partition: int) -> list[int | None]:
    """One partition's values over time."""
    if rows and len(min(rows, key=len)) > partition:
        return [row[partition] for row in rows]
    return [_at(row, partition) for row in rows]


def _at(values: Sequence[int | None], partition: int) -> int | None:
    return values[partition] if partition < len(values) else None
