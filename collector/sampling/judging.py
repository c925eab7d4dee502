"""A pair's latest standings, and its verdict: judged anew where it may have become another."""

from array import array
from collections.abc import Sequence
from datetime import datetime

from collector.domain.verdicts import PATIENCE_SECONDS, Standing, Verdict, judgement
from collector.sampling.memory import Pair

STANDING_SECONDS = 5
MOST_STANDINGS = 13
WINDOW_SECONDS, WINDOW_SCANS = 60, MOST_STANDINGS - 1  # whichever is longer


def judge(pair: Pair, newest: Standing, at: datetime) -> None:
    """Take in how a pair stands; find its verdict."""
    standings = pair.standings
    take_in(standings, newest)
    # of equal standings only their span counts, by being long enough or not
    is_alike = len(standings) == 1 or (len(standings) == 2 and _is_same(*standings))
    alike = newest.at - standings[0].at >= PATIENCE_SECONDS if is_alike else None
    if alike is not None and alike is pair.judged_alike:
        return
    pair.judged_alike = alike
    judged = judgement(standings)
    if judged is None and _holds(pair, newest):
        return
    word = judged.verdict if judged else None
    pair.n_judged = len(judged.partitions) if judged else 0
    if word != pair.verdict:
        pair.verdict, pair.verdict_at = word, at


def take_in(standings: list[Standing], newest: Standing) -> None:
    """Keep the first of standings that are equal, one every few seconds of those that differ, and the newest."""
    if len(standings) == 2 and _is_same(standings[1], newest) and _is_same(*standings):  # as nearly all are
        standings[1] = newest
        return
    if standings:
        last, before = standings[-1], standings[-2] if len(standings) > 1 else None
        window = max(WINDOW_SECONDS, WINDOW_SCANS * (newest.at - last.at))
        if _facts(last) == _facts(newest):
            newest = Standing(newest.at, last.state, last.n_members, last.committed, last.lags)  # one copy
            if before is not None and _is_same(before, last):
                standings.pop()
        else:
            if before is not None and _is_same(before, last):
                standings.pop()
            if len(standings) > 1 and newest.at - standings[-2].at < STANDING_SECONDS:
                standings.pop()
            else:
                standings[-1] = _compact(standings[-1], standings[-2] if len(standings) > 1 else None)
        while len(standings) > 1 and newest.at - standings[1].at >= window:
            del standings[0]
    standings.append(newest)
    del standings[:-MOST_STANDINGS]


def _facts(standing: Standing) -> tuple[object, ...]:
    return standing.state, standing.n_members, standing.committed, standing.lags


def _is_same(one: Standing, other: Standing) -> bool:
    """Whether they are the first and the newest of standings that are equal: these share what they hold."""
    return (
        one.committed is other.committed
        and one.lags is other.lags
        and one.state == other.state
        and one.n_members == other.n_members
    )


def _compact(standing: Standing, before: Standing | None) -> Standing:
    """The same in a third of the room, if nothing in it is unknown; lags that are what they were are kept once."""
    if None in standing.committed or None in standing.lags:
        return standing
    committed, lags = _narrow(standing.committed), _narrow(standing.lags)
    if before is not None and before.lags == lags:
        lags = before.lags
    return Standing(standing.at, standing.state, standing.n_members, committed, lags)


def _narrow(numbers: Sequence[int | None]) -> Sequence[int | None]:
    try:
        return array("I", numbers)  # type: ignore[type-var]  # none is None
    except OverflowError:
        return array("q", numbers)  # type: ignore[type-var]


def _holds(pair: Pair, newest: Standing) -> bool:
    """Whether an earlier run's verdict that nothing was committed still stands: nothing was since, and events wait.

    A sampler that starts again remembers no standings; it would say nothing for a while, and then "since now".
    """
    if pair.written_at is not None or pair.verdict is not (Verdict.STALLED if newest.n_members else Verdict.STOPPED):
        return False
    unread = [lag for offset, lag in zip(newest.committed, newest.lags, strict=False) if offset is not None]
    return None not in unread and any(unread)
