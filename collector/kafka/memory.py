"""The Log's in-memory twin: a broker of lists, with the same promises as real Kafka (tests/contract/test_log.py)."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from collector.domain.records import Record
from collector.ports import Identity, KafkaUnreachable, Partition, Taken


@dataclass
class MemoryTopic:
    """One topic: its id, and per partition the records, the first offset still readable, and the next to be written."""

    kafka_id: UUID
    records: list[list[Record]]
    low: list[int]
    high: list[int]


@dataclass
class MemoryBroker:
    """Topics by name; `up` False behaves as a broker that does not answer."""

    topics: dict[str, MemoryTopic] = field(default_factory=dict)
    up: bool = True
    forbidden: set[str] = field(default_factory=set)  # topics that nobody may read
    lock: threading.Lock = field(default_factory=threading.Lock)  # a reader's end is that behind what it has read

    def create(self, name: str, *, n_partitions: int = 1) -> Identity:
        """A new topic behind this name; one that was there is gone."""
        self.topics[name] = MemoryTopic(
            uuid4(), [[] for _ in range(n_partitions)], [0] * n_partitions, [0] * n_partitions
        )
        return Identity(self.topics[name].kafka_id, n_partitions)

    def append(self, record: Record) -> int:
        """Store `record` at the end of its partition; the offset it got."""
        topic = self.topics[record.topic]
        with self.lock:
            kept, offset = topic.records[record.partition], topic.high[record.partition]
            topic.high[record.partition] += 1
            kept.append(
                Record(
                    topic=record.topic,
                    partition=record.partition,
                    offset=offset,
                    produced_at=record.produced_at,
                    timestamp_type=record.timestamp_type,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                )
            )
        return offset

    def mark(self, partition: Partition) -> None:
        """What the end of a transaction does: an offset that holds no record."""
        self.topics[partition.topic].high[partition.number] += 1

    def lose_after(self, partition: Partition, offset: int) -> None:
        """What a crash of a machine does: records from `offset` on were never on disk."""
        topic = self.topics[partition.topic]
        topic.records[partition.number] = [one for one in topic.records[partition.number] if one.offset < offset]
        topic.high[partition.number] = min(offset, topic.high[partition.number])

    def delete_before(self, partition: Partition, offset: int) -> None:
        """What retention does: records below `offset` go."""
        topic = self.topics[partition.topic]
        kept = topic.records[partition.number]
        topic.records[partition.number] = [record for record in kept if record.offset >= offset]
        topic.low[partition.number] = max(offset, topic.low[partition.number])
        topic.high[partition.number] = max(offset, topic.high[partition.number])


class MemoryLog:
    """See collector.ports.Log."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._next: dict[Partition, int] = {}
        self._paused = False
        self.committed: dict[Partition, int] = {}

    def identities(self, topics: Collection[str]) -> Mapping[str, Identity]:
        """The topics of these names that exist."""
        self._reach()
        known = self._broker.topics
        return {name: Identity(known[name].kafka_id, len(known[name].records)) for name in topics if name in known}

    def low_ends(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        """The first readable offset of each partition that exists."""
        self._reach()
        return {p: self._broker.topics[p.topic].low[p.number] for p in partitions if self._exists(p)}

    def ends(self, partition: Partition) -> tuple[int, int] | None:
        """From the lists."""
        self._reach()
        if not self._exists(partition):
            return None
        return self._broker.topics[partition.topic].low[partition.number], self._end(partition)

    def first_since(self, partition: Partition, at: datetime) -> int | None:
        """From the lists."""
        self._reach()
        kept = self._broker.topics[partition.topic].records[partition.number]
        return next((record.offset for record in kept if record.produced_at and record.produced_at >= at), None)

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Read exactly these; those read already go on where they are."""
        self._next = {partition: self._next.get(partition, offset) for partition, offset in positions.items()}

    def take(self, *, limit: int, limit_bytes: int, wait: float) -> Taken:  # noqa: ARG002
        """What there is, at once: nothing comes by itself while a test waits."""
        if self._paused or not self._broker.up:
            return Taken((), frozenset())
        records: list[Record] = []
        lost: set[Partition] = set()
        ends: dict[Partition, int] = {}
        size = 0
        refused = {partition for partition in self._next if partition.topic in self._broker.forbidden}
        for partition in [each for each in self._next if each not in refused]:
            if not self._readable(partition):
                lost.add(partition)
                continue
            with self._broker.lock:
                for record in self._broker.topics[partition.topic].records[partition.number]:
                    if record.offset < self._next[partition]:
                        continue
                    if len(records) >= limit or size >= limit_bytes:
                        break
                    records.append(record)
                    size += record.held_bytes
                    self._next[partition] = record.offset + 1
                else:
                    self._next[partition] = ends[partition] = self._end(partition)
        return Taken(tuple(records), frozenset(lost), frozenset(refused), ends)

    def seek(self, positions: Mapping[Partition, int]) -> None:
        """Go on at these offsets."""
        self._next.update({p: offset for p, offset in positions.items() if p in self._next})

    def high_ends(self) -> Mapping[Partition, int]:
        """The next offset of each assigned partition."""
        return {p: self._end(p) for p in self._next if self._exists(p)}

    def pause(self) -> None:
        """Bring nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Bring records again."""
        self._paused = False

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Kept for tests to see."""
        self.committed.update(positions)

    def close(self) -> None:
        """Nothing to let go of."""

    def _reach(self) -> None:
        if not self._broker.up:
            raise KafkaUnreachable("Kafka did not answer: the broker of this test is down.")

    def _exists(self, partition: Partition) -> bool:
        topic = self._broker.topics.get(partition.topic)
        return topic is not None and partition.number < len(topic.records)

    def _readable(self, partition: Partition) -> bool:
        if not self._exists(partition):
            return False
        low = self._broker.topics[partition.topic].low[partition.number]
        return low <= self._next[partition] <= self._end(partition)

    def _end(self, partition: Partition) -> int:
        return self._broker.topics[partition.topic].high[partition.number]
