"""The Peek's in-memory twin (tests/contract/test_peek.py)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from collector.kafka.memory import MemoryBroker
from collector.ports import KafkaUnreachable, Partition, Taken

if TYPE_CHECKING:
    from collector.domain.records import Record

AT_ONCE = 16


class MemoryPeek:
    """See collector.ports.Peek. Records come partition by partition, as from a broker with a large one first."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._topic = ""
        self._next: dict[int, int] = {}

    def partitions(self, topic: str) -> Sequence[int]:
        """From the lists."""
        self._reach()
        found = self._broker.topics.get(topic)
        return list(range(len(found.records))) if found is not None else []

    def ends(self, topic: str, numbers: Collection[int]) -> Mapping[int, tuple[int, int]]:
        """From the lists."""
        self._reach()
        found = self._broker.topics[topic]
        return {number: (found.low[number], found.high[number]) for number in numbers}

    def since(self, topic: str, numbers: Collection[int], at: datetime) -> Mapping[int, int | None]:
        """From the lists."""
        self._reach()
        found = {}
        for number in numbers:
            kept = self._broker.topics[topic].records[number]
            later = (record.offset for record in kept if record.produced_at and record.produced_at >= at)
            found[number] = next(later, None)
        return found

    def begin(self, topic: str, positions: Mapping[int, int]) -> None:
        """Nothing is fetched before it is taken."""
        self._topic, self._next = topic, dict(positions)

    def take(self, wait: float) -> Taken:  # noqa: ARG002
        """What there is, at once: nothing comes by itself while a test waits."""
        places = {number: Partition(self._topic, number) for number in self._next}
        if self._topic in self._broker.forbidden:
            return Taken((), frozenset(), frozenset(places.values()))
        found = self._broker.topics.get(self._topic)
        records: list[Record] = []
        lost, ends = set(), {}
        for number, place in places.items():
            if found is None or not found.low[number] <= self._next[number] <= found.high[number]:
                lost.add(place)
                continue
            new = [one for one in found.records[number] if one.offset >= self._next[number]][: AT_ONCE - len(records)]
            records += new
            if new:
                self._next[number] = new[-1].offset + 1
            if not [one for one in found.records[number] if one.offset >= self._next[number]]:
                ends[place] = found.high[number]
        return Taken(tuple(records), frozenset(lost), frozenset(), ends)

    def leave(self, numbers: Collection[int]) -> None:
        """Bring nothing more of these."""
        for number in numbers:
            self._next.pop(number, None)

    def close(self) -> None:
        """Nothing to let go of."""

    def _reach(self) -> None:
        if not self._broker.up:
            raise KafkaUnreachable("Kafka did not answer: the broker of this test is down.")
