"""The Lookup's in-memory twin (tests/contract/test_lookup.py)."""

from collections.abc import Iterator, Mapping

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.ports import KafkaUnreachable, Unreadable


class MemoryLookup:
    """See collector.ports.Lookup."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def ends(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """From the lists."""
        if not self._broker.up:
            raise KafkaUnreachable("Kafka did not answer: the broker of this test is down.")
        found = self._broker.topics.get(topic)
        if found is None:
            return {}
        return dict(enumerate(zip(found.low, found.high, strict=True)))

    def record_at(self, position: Position) -> Record | None:
        """From the lists."""
        low, high = self.ends(position.topic).get(position.partition, (0, 0))
        if not low <= position.offset < high:
            return None
        kept = self._broker.topics[position.topic].records[position.partition]
        return next((record for record in kept if record.offset == position.offset), None)

    def between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        """From the lists."""
        ends = self.ends(topic)
        for number, (start, to) in spans.items():
            if start >= to:
                continue
            low, high = ends.get(number, (0, 0))
            if start < low or to > high:
                raise Unreadable(f"{topic}/{number} no longer holds all of the records asked for.")
            yield from (one for one in self._broker.topics[topic].records[number] if start <= one.offset < to)

    def close(self) -> None:
        """Nothing to let go of."""
