"""Broker metadata over librdkafka's admin client, fenced against its hazards.

A group call that timed out may abort the whole process when the broker answers later. So the client is dropped at
the first time-out of anything, and an overview is asked for before any group.
"""

import concurrent.futures
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export what it imports
    ConfigResource,
    ConfigSource,
    ListOffsetsResultInfo,
    MemberDescription,
    PartitionMetadata,
    ResourceType,
    TopicMetadata,
)

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
from collector.domain.texts import cut
from collector.kafka.admin_client import Ends, EndsClient
from collector.kafka.errors import NO_SUCH_PARTITION, translated
from collector.kafka.metadata_values import MOST_NAME, group_state, is_sayable, protocol_of, shortened, uuid_of
from collector.ports import KafkaRefused, KafkaUnreachable

PROBE_SECONDS = 5
GROUP_SECONDS = 30  # longer than a broker's restart
ENDS_SECONDS = 15
GROUPS_AT_ONCE = 32
DESCRIBED_AT_ONCE = 50
TOPICS_AT_ONCE = 100
PARTITIONS_AT_ONCE = 400
CHUNKS_AT_ONCE = 4
ENDS = (OFFSET_END, OFFSET_BEGINNING)  # high and low, in the order in which they are asked for

_SILENT = {
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._DESTROY,
    KafkaError.REQUEST_TIMED_OUT,
}
_STALE = {KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError._NOENT}
_SET_ON_TOPIC = ConfigSource.DYNAMIC_TOPIC_CONFIG.value  # entries carry the bare number
_GROUP_KINDS = {"connect": GroupProtocol.CONNECT}

Key = TypeVar("Key")
Item = TypeVar("Item")
Answer = TypeVar("Answer")
Place = tuple[str, int]  # topic, partition
EndsByTopic = dict[str, list[int | None]]


class AdminMetadata:
    """`BrokerMetadata` of a real cluster. Not for several threads."""

    def __init__(self, properties: Mapping[str, str | int | float | bool]) -> None:
        self._properties = {
            "reconnect.backoff.max.ms": 1000,
            "socket.connection.setup.timeout.ms": PROBE_SECONDS * 1000,
            "log_level": 0,  # every failure comes back to the caller
            **properties,
        }
        self._client: EndsClient | None = None

    def close(self) -> None:
        """Drop the connection."""
        self._client = None

    def overview(self) -> Overview:
        """See BrokerMetadata."""
        try:
            seen = self._admin().list_topics(timeout=PROBE_SECONDS)
        except KafkaException as failure:
            raise self._dropped(failure) from None
        if not seen.brokers:  # so says one that is just coming up, and then it knows no topics either
            self.close()
            raise KafkaUnreachable("The broker does not know its own cluster yet.")
        leaders = {
            name: tuple(_leader(topic.partitions.get(number)) for number in range(_n_partitions(topic)))
            for name, topic in seen.topics.items()
            if topic.error is None or topic.error.code() not in NO_SUCH_PARTITION
        }
        return Overview(seen.cluster_id or "", leaders)

    def groups(self) -> list[GroupListed]:
        """See BrokerMetadata. An empty list with an error is no list: librdkafka does not raise here."""
        answer = self._one(self._admin().list_consumer_groups(request_timeout=GROUP_SECONDS))
        if answer.errors:
            raise self._dropped(answer.errors[0])
        return [
            GroupListed(group.group_id, group_state(group.state, group.type), protocol_of(group.type))
            for group in answer.valid
            if is_sayable(group.group_id)
        ]

    def hidden_groups(self) -> list[GroupListed]:
        """See BrokerMetadata. Share and Streams groups cannot be told apart here: their protocol stays unknown."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # nothing else lists them
            try:
                listed: list[Any] = self._admin().list_groups(timeout=GROUP_SECONDS)
            except KafkaException as failure:
                raise self._dropped(failure) from None
        visible = {group.name for group in self.groups()}  # second: a group made in between is not hidden
        return [
            GroupListed(group.id, HIDDEN, _GROUP_KINDS.get(group.protocol_type, GroupProtocol.UNKNOWN))
            for group in listed
            if group.id not in visible and is_sayable(group.id)
        ]

    def committed(self, groups: Sequence[str]) -> dict[str, Offsets]:
        """See BrokerMetadata. One group per request is all the client can do."""
        found: dict[str, Offsets] = {}
        for name, future in _in_flight(groups, self._ask_committed, most=GROUPS_AT_ONCE):
            for _, answer in self._answered({name: future}):
                found[name] = _offsets(answer.topic_partitions)
        return found

    def watermarks(self, leaders: Mapping[str, tuple[int | None, ...]]) -> dict[str, Watermarks]:
        """See BrokerMetadata. KafkaUnreachable, too, when not one partition answered: a hung broker looks like that."""
        asked = [
            (leader, topic, number)
            for topic, of_topic in leaders.items()
            for number, leader in enumerate(of_topic)
            if leader is not None
        ]
        high, low = self._ends([(topic, number) for _, topic, number in sorted(asked)], leaders)
        if asked and not (any(map(_is_answered, high.values())) and any(map(_is_answered, low.values()))):
            self.close()
            raise KafkaUnreachable("No partition's end was answered.")
        return {topic: Watermarks(tuple(low[topic]), tuple(high[topic])) for topic in leaders}

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescribed]:
        """See BrokerMetadata."""
        found = {}
        for some in _chunks(names, TOPICS_AT_ONCE):
            asked = self._admin().describe_topics(TopicCollection(list(some)), request_timeout=ENDS_SECONDS)
            for name, topic in self._answered(asked):
                found[name] = TopicDescribed(uuid_of(topic.topic_id), topic.is_internal, len(topic.partitions))
        return found

    def topic_configs(self, names: Sequence[str]) -> dict[str, TopicConfigs]:
        """See BrokerMetadata."""
        found: dict[str, TopicConfigs] = {}
        alike: dict[object, TopicConfigs] = {}
        for some in _chunks(names, DESCRIBED_AT_ONCE):
            resources = [ConfigResource(ResourceType.TOPIC, name) for name in some]
            asked = self._admin().describe_configs(resources, request_timeout=ENDS_SECONDS)
            for resource, entries in self._answered(asked):
                values = {name: None if entry.is_sensitive else entry.value for name, entry in entries.items()}
                own = frozenset(name for name, entry in entries.items() if entry.source == _SET_ON_TOPIC)
                kind = tuple(values), tuple(values.values()), own
                found[resource.name] = alike.setdefault(kind, TopicConfigs(values, own))
        return found

    def describe_groups(self, names: Sequence[str]) -> list[GroupDescribed]:
        """See BrokerMetadata."""
        found = []
        for some in _chunks(names, DESCRIBED_AT_ONCE):
            asked = self._admin().describe_consumer_groups(list(some), request_timeout=GROUP_SECONDS)
            for name, group in self._answered(asked):
                members = tuple(
                    Member(
                        shortened(member.member_id),
                        cut(member.client_id or "", MOST_NAME),
                        cut((member.host or "").lstrip("/"), MOST_NAME),
                        _assignment(member),
                    )
                    for member in group.members
                )
                found.append(
                    GroupDescribed(name, group_state(group.state, group.type), protocol_of(group.type), members)
                )
        return found

    def _ask_committed(self, group: str) -> "concurrent.futures.Future[Any]":
        asked = [ConsumerGroupTopicPartitions(group)]
        return self._admin().list_consumer_group_offsets(asked, request_timeout=GROUP_SECONDS)[group]

    def _ends(self, partitions: Sequence[Place], leaders: Mapping[str, Sequence[int | None]]) -> list[EndsByTopic]:
        """Of each kind of ENDS those of each topic. Partitions whose leader changed are asked again."""
        found: list[EndsByTopic] = [{topic: [None] * len(of) for topic, of in leaders.items()} for _ in ENDS]
        stale = self._take_ends(partitions, found)
        if stale:
            self.overview()  # brings the client the new leaders
            self._take_ends(sorted(stale), found)
        return found

    def _take_ends(self, partitions: Sequence[Place], found: Sequence[EndsByTopic]) -> set[Place]:
        """Put valid ends in their places; where the leader changed. -1001 comes back as a success: it is none."""
        stale: set[Place] = set()
        asked = [(kind, chunk) for kind in range(len(ENDS)) for chunk in _chunks(partitions, PARTITIONS_AT_ONCE)]
        for (kind, chunk), future in _in_flight(asked, self._ask_ends, most=CHUNKS_AT_ONCE):
            for topic, number, answer in self._of_all(chunk, future):
                if isinstance(answer, KafkaError):
                    if answer.code() in _STALE:
                        stale.add((topic, number))
                elif answer.offset >= 0:
                    found[kind][topic][number] = answer.offset
        return stale

    def _ask_ends(self, asked: tuple[int, Sequence[Place]]) -> "concurrent.futures.Future[Ends]":
        kind, partitions = asked
        return self._admin().ends(partitions, ENDS[kind], seconds=ENDS_SECONDS)

    def _of_all(
        self, asked: Sequence[Place], future: "concurrent.futures.Future[Ends]"
    ) -> Iterator[tuple[str, int, ListOffsetsResultInfo | KafkaError]]:
        """What was answered of each. A request that failed failed for all of them; silence drops the client."""
        try:
            answers = future.result(timeout=GROUP_SECONDS + PROBE_SECONDS)
        except KafkaException as failure:
            if failure.args[0].code() in _SILENT:
                raise self._dropped(failure) from None
            yield from ((topic, number, failure.args[0]) for topic, number in asked)
            return
        except concurrent.futures.TimeoutError:
            raise self._dropped_silent() from None
        for place, answer in answers.items():
            if isinstance(answer, KafkaError) and answer.code() in _SILENT:
                raise self._dropped(answer)
            yield place.topic, place.partition, answer

    def _admin(self) -> EndsClient:
        if self._client is None:
            self._client = EndsClient(self._properties)
        return self._client

    def _dropped(self, failure: KafkaException | KafkaError) -> KafkaRefused | KafkaUnreachable:
        self.close()
        return translated(failure)

    def _dropped_silent(self) -> KafkaUnreachable:
        self.close()
        return KafkaUnreachable("The client itself did not answer.")

    def _one(self, future: "concurrent.futures.Future[Item]") -> Item:
        try:
            return future.result(timeout=GROUP_SECONDS + PROBE_SECONDS)
        except KafkaException as failure:
            raise self._dropped(failure) from None
        except concurrent.futures.TimeoutError:
            raise self._dropped_silent() from None

    def _answered(
        self,
        asked: "dict[Key, concurrent.futures.Future[Any]]",
    ) -> Iterator[tuple[Key, Any]]:
        """Pairs of what was asked and its answer. A refusal leaves its key out; silence drops the client."""
        for key, future in asked.items():
            try:
                yield key, future.result(timeout=GROUP_SECONDS + PROBE_SECONDS)
            except KafkaException as failure:
                code = failure.args[0].code()
                if code in _SILENT:
                    raise self._dropped(failure) from None
            except concurrent.futures.TimeoutError:
                raise self._dropped_silent() from None


def _is_answered(ends: Iterable[int | None]) -> bool:
    return any(end is not None for end in ends)


def _leader(partition: PartitionMetadata | None) -> int | None:
    return None if partition is None or partition.leader < 0 else int(partition.leader)


def _n_partitions(topic: TopicMetadata) -> int:
    return max(topic.partitions, default=-1) + 1


def _offsets(partitions: Iterable[TopicPartition]) -> Offsets:
    """-1001 is "no commit"; an error may stand inside a successful answer: nobody knows, of a partition that is."""
    found: dict[str, dict[int, int | None]] = {}
    for each in partitions:
        if each.error is not None:
            if each.error.code() not in NO_SUCH_PARTITION:
                found.setdefault(each.topic, {})[each.partition] = None
        elif each.offset >= 0:
            found.setdefault(each.topic, {})[each.partition] = each.offset
    return found


def _assignment(member: MemberDescription) -> tuple[tuple[str, int], ...]:
    given = member.assignment.topic_partitions if member.assignment else []
    return tuple(sorted((each.topic, each.partition) for each in given))


def _in_flight(
    items: Iterable[Item], ask: "Callable[[Item], concurrent.futures.Future[Answer]]", *, most: int
) -> "Iterator[tuple[Item, concurrent.futures.Future[Answer]]]":
    """Each item with its question in their order, `most` of them asked at once, also while an answer is looked at."""
    waiting: deque[tuple[Item, concurrent.futures.Future[Answer]]] = deque()
    for item in items:
        if len(waiting) == most:
            yield waiting.popleft()
        waiting.append((item, ask(item)))
    yield from waiting


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))
