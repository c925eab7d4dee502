"""A cluster in memory that answers as `BrokerMetadata`: the twin of collector.kafka.metadata, for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from collector.domain.brokers import (
    HIDDEN,
    GroupDescribed,
    GroupListed,
    GroupProtocol,
    Member,
    Offsets,
    Overview,
    TopicConfigs,
    TopicDescribed,
    Watermarks,
)
from collector.domain.lag import FirstUnread
from collector.ports import KafkaUnreachable, Partition


@dataclass
class MemoryTopic:
    """One topic: next and first offset of each partition, None for a partition that does not answer."""

    kafka_id: UUID
    high: list[int | None]
    low: list[int | None]
    configs: dict[str, str | None] = field(default_factory=lambda: {"cleanup.policy": "delete"})
    leaders: dict[int, int | None] = field(default_factory=dict)  # partition -> broker; 1 where nothing is said
    markers: set[tuple[int, int]] = field(default_factory=set)  # (partition, offset) that no reader ever gets
    written_at: dict[tuple[int, int], float] = field(default_factory=dict)  # (partition, offset) -> seconds
    open_from: dict[int, int] = field(default_factory=dict)  # partition -> where an open transaction begins


@dataclass
class MemoryGroup:
    """One consumer group."""

    described: GroupDescribed
    committed: dict[str, dict[int, int | None]] = field(default_factory=dict)


class MemoryMetadata:
    """`BrokerMetadata` of a cluster whose facts the caller sets. `is_away`: nothing is answered."""

    def __init__(self, cluster_id: str = "memory") -> None:
        self.cluster_id = cluster_id
        self.topics: dict[str, MemoryTopic] = {}
        self.known_groups: dict[str, MemoryGroup] = {}
        self.hidden: dict[str, GroupProtocol] = {}
        self.is_away = False

    def create_topic(self, name: str, n_partitions: int) -> None:
        """A new topic, or the same name as another topic."""
        self.topics[name] = MemoryTopic(uuid4(), [0] * n_partitions, [0] * n_partitions)

    def delete_topic(self, name: str) -> None:
        """The topic goes, and what groups committed on it."""
        del self.topics[name]
        for group in self.known_groups.values():
            group.committed.pop(name, None)

    def produce(self, topic: str, partition: int, n: int) -> None:
        """`n` records more."""
        self.topics[topic].high[partition] = (self.topics[topic].high[partition] or 0) + n

    def commit(self, group: str, topic: str, offsets: Mapping[int, int | None]) -> None:
        """What a group has read (None: the broker tells an error); makes an empty classic group where there is none."""
        made = MemoryGroup(GroupDescribed(group, "Empty", GroupProtocol.CLASSIC, ()))
        self.known_groups.setdefault(group, made).committed.setdefault(topic, {}).update(offsets)

    def join(self, group: str, member: Member) -> None:
        """A member more; the group is stable then."""
        made = MemoryGroup(GroupDescribed(group, "Empty", GroupProtocol.CLASSIC, ()))
        its = self.known_groups.setdefault(group, made)
        its.described = replace(its.described, state="Stable", members=(*its.described.members, member))

    def overview(self) -> Overview:
        """See BrokerMetadata."""
        self._answer()
        return Overview(
            self.cluster_id,
            {
                name: tuple(topic.leaders.get(number, 1) for number in range(len(topic.high)))
                for name, topic in self.topics.items()
            },
        )

    def groups(self) -> list[GroupListed]:
        """See BrokerMetadata."""
        self._answer()
        return [
            GroupListed(group.described.name, group.described.state, group.described.protocol)
            for group in self.known_groups.values()
        ]

    def hidden_groups(self) -> list[GroupListed]:
        """See BrokerMetadata."""
        self._answer()
        return [GroupListed(name, HIDDEN, protocol) for name, protocol in self.hidden.items()]

    def committed(self, groups: Sequence[str]) -> dict[str, Offsets]:
        """See BrokerMetadata."""
        self._answer()
        return {
            name: {topic: dict(of_topic) for topic, of_topic in self.known_groups[name].committed.items()}
            for name in groups
            if name in self.known_groups
        }

    def watermarks(self, leaders: Mapping[str, tuple[int | None, ...]]) -> dict[str, Watermarks]:
        """See BrokerMetadata."""
        self._answer()
        return {
            name: Watermarks(tuple(self.topics[name].low), tuple(self.topics[name].high))
            for name in leaders
            if name in self.topics
        }

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescribed]:
        """See BrokerMetadata."""
        self._answer()
        return {
            name: TopicDescribed(topic.kafka_id, name.startswith("__"), len(topic.high))
            for name in names
            if (topic := self.topics.get(name))
        }

    def topic_configs(self, names: Sequence[str]) -> dict[str, TopicConfigs]:
        """See BrokerMetadata."""
        self._answer()
        alike: dict[object, TopicConfigs] = {}
        return {
            name: alike.setdefault(
                tuple(topic.configs.items()), TopicConfigs(dict(topic.configs), frozenset(topic.configs))
            )
            for name in names
            if (topic := self.topics.get(name))
        }

    def describe_groups(self, names: Sequence[str]) -> list[GroupDescribed]:
        """See BrokerMetadata. A group that does not exist is Dead, as Kafka says."""
        self._answer()
        dead = GroupDescribed("", "Dead", GroupProtocol.CLASSIC, ())
        return [
            self.known_groups[name].described if name in self.known_groups else replace(dead, name=name)
            for name in names
        ]

    def first_unread(self, positions: Mapping[Partition, int]) -> dict[Partition, FirstUnread]:
        """See FirstRecords."""
        self._answer()
        found = {}
        for place, position in positions.items():
            topic = self.topics.get(place.topic)
            high = topic.high[place.number] if topic and place.number < len(topic.high) else None
            if topic is None or high is None:
                continue
            end = topic.open_from.get(place.number, high)
            start = max(position, topic.low[place.number] or 0)
            offset = next((each for each in range(start, end) if (place.number, each) not in topic.markers), None)
            at = None if offset is None else topic.written_at.get((place.number, offset))
            found[place] = FirstUnread(offset, at, end)
        return found

    def close(self) -> None:
        """See BrokerMetadata."""

    def _answer(self) -> None:
        if self.is_away:
            raise KafkaUnreachable("Kafka did not answer: it is away.")
