"""How groups stood before a sampler started again: judged anew from nothing, all that they do began "now"."""

from bisect import bisect_right
from datetime import datetime, timedelta

from django.db import connection

from collector.domain.lag import lags
from collector.domain.verdicts import Standing, Verdict
from collector.sampling.judging import take_in
from collector.sampling.memory import Group, Memory
from collector.store import samples
from collector.store.samples import Offsets

RECENT = timedelta(minutes=2)  # about as long as standings are kept
_TOLD_WITH_SINCE = {Verdict.REWOUND, Verdict.STOPPED, Verdict.STALLED, Verdict.SLOW}


def recall(known: Memory, *, now: datetime) -> None:
    """Put the latest standings of who moved lately, and yet is behind, into a memory that was just loaded.

    Who has not moved at all is `judging`'s to know: his verdict holds as long as he stands.
    """
    scanned_at, since = known.scanned_at, now - RECENT
    if scanned_at is None or scanned_at < since:
        return
    recalled = [
        key
        for key, pair in known.pairs.items()
        if pair.verdict in _TOLD_WITH_SINCE
        and pair.moved_at is not None
        and pair.moved_at >= since
        and key[0] in known.ends
    ]
    groups = {group.id: group for group in known.groups.values()}
    with connection.cursor() as cursor:
        for key, at, committed in samples.recent_commits(cursor, recalled, since=since):
            _take_in(known, key, groups[key[1]], at, committed)
    for key in recalled:
        _take_in(known, key, groups[key[1]], scanned_at, known.pairs[key].committed)


def _take_in(known: Memory, key: tuple[int, int], group: Group, at: datetime, committed: Offsets) -> None:
    standings, moment = known.pairs[key].standings, at.timestamp()
    if standings and standings[-1].at >= moment:
        return
    low, high = known.ends[key[0]].low, _high_at(known, key[0], moment)
    unread = lags(committed, low=(*low, *(None,) * len(high))[: len(high)], high=high)
    take_in(standings, Standing(moment, group.state, group.n_members, committed, unread))


def _high_at(known: Memory, topic_id: int, moment: float) -> Offsets:
    """The ends as they were then; None where none was answered."""
    points = known.rings[topic_id].points
    found = bisect_right(points, moment, key=lambda point: point[0])
    return tuple(end if end >= 0 else None for end in points[found - 1][1]) if found else ()
