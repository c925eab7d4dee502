"""Which positions are worth reading a record at, and what was found there."""

from operator import lt

from collector.domain.verdicts import PATIENCE_SECONDS
from collector.sampling.memory import FirstKey, Looked, Memory, Pair
from collector.sampling.scan import Fast
from collector.store.samples import Offsets

STILL_SECONDS = PATIENCE_SECONDS / 2  # a group that did not move for so long may stand before markers: look
LOOK_AGAIN_SECONDS = 10
MOST_WANTED = 500  # more than are looked at in one scan; the others are wanted again then


class Looks:
    """What is known of the first unread record of each lagging partition, and what should be looked at."""

    def __init__(self, known: Memory, fast: Fast) -> None:
        self._known = known
        self._now = fast.now
        self._used: dict[FirstKey, Looked] = {}
        self._wanted: dict[FirstKey, str] = {}
        self._oldest: dict[int, list[int]] = {}

    def at(self, topic: str, pair: Pair, topic_id: int) -> dict[int, Looked]:
        """By partition. Wanted is a look where a group has stood still for a while, and where no history reaches."""
        if pair.committed == self._known.ends[topic_id].high:
            return {}
        is_still = self._now - pair.still_since >= STILL_SECONDS
        if is_still or not self._history_reaches(pair.committed, topic_id):
            return self._of_each(topic, pair, topic_id, is_still=is_still)
        return {}

    def _history_reaches(self, committed: Offsets, topic_id: int) -> bool:
        """Back to what is unread of all partitions, as it mostly does. False, too, where that is not told at once."""
        known = [offset for offset in committed if offset is not None]
        return len(known) == len(committed) and not any(map(lt, known, self._oldest_of(topic_id)))

    def _of_each(self, topic: str, pair: Pair, topic_id: int, *, is_still: bool) -> dict[int, Looked]:
        ends, firsts, found = self._known.ends[topic_id], self._known.firsts, dict[int, Looked]()
        oldest = self._oldest_of(topic_id)
        for partition, (offset, low, high) in enumerate(zip(pair.committed, ends.low, ends.high, strict=False)):
            if offset is None or low is None or high is None:
                continue
            position = offset if offset > low else low
            if position >= high or not (is_still or (partition < len(oldest) and position < oldest[partition])):
                continue
            key = (topic_id, partition, position)
            looked = firsts.get(key)
            if looked is not None:
                self._used[key] = looked
                if looked.holds(high):
                    found[partition] = looked
            if len(self._wanted) < MOST_WANTED and self._is_due(looked):
                self._wanted[key] = topic
        return found

    def _oldest_of(self, topic_id: int) -> list[int]:
        """The oldest end that is known of each partition; one that was not answered bounds nothing."""
        found = self._oldest.get(topic_id)
        if found is None:
            found = self._oldest[topic_id] = [max(0, end) for end in self._known.rings[topic_id].firsts()]
        return found

    def _is_due(self, looked: Looked | None) -> bool:
        return looked is None or (looked.found.offset is None and self._now - looked.at >= LOOK_AGAIN_SECONDS)

    def keep(self) -> None:
        """Forget what no group stands before any more."""
        self._known.firsts = self._used
        self._known.wanted = self._wanted
