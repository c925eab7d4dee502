"""What appeared, changed or went away among topics, groups and members: compared, then stored."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.config.readers import GroupOf
from collector.domain.brokers import (
    HIDDEN,
    GroupDescribed,
    GroupListed,
    GroupProtocol,
    TopicDescribed,
)
from collector.domain.dialects.names import role as role_by_name
from collector.domain.topology import explaining_group
from collector.sampling import sums
from collector.sampling.memory import INTERNAL, Group, Memory
from collector.sampling.scan import Fast, Slow
from collector.store import broker_names, hints, samples
from collector.store.broker_names import DEAD, Mark, TopicRow

_ROLES = {"business": 0, "dead_letter": 1, "retry": 2, "internal": INTERNAL}
_OURS_AND_KAFKAS = ("weir.", "__")


def is_internal(topic: str) -> bool:
    """Kafka's own topics and Weir's, by name."""
    return topic.startswith(_OURS_AND_KAFKAS)


def unknown_topics(known: Memory, fast: Fast) -> set[str]:
    """Topics whose id or number of partitions has yet to be asked for."""
    return {
        name
        for name, leaders in fast.overview.leaders.items()
        if (row := known.topics.get(name)) is None or row.kafka_id is None or row.n_partitions != len(leaders)
    }


def changed_groups(known: Memory, fast: Fast) -> set[str]:
    """Groups that are new, or in another state than before."""
    return {group.name for group in fast.groups if _differs(known.groups.get(group.name), group)}


def missed_groups(known: Memory, fast: Fast) -> set[str]:
    """Groups that were seen before and are not in the list. Those named by spans only were never seen.

    That alone says nothing: while a coordinator loads, Kafka lists none of its groups and tells no error.
    """
    listed = {group.name for group in fast.groups}
    return {
        name for name, group in known.groups.items() if name not in listed and group.state not in ("", DEAD, HIDDEN)
    }


def _differs(row: Group | None, group: GroupListed) -> bool:
    return row is None or (row.state, row.protocol) != (group.state, group.protocol)


def store(
    cursor: CursorWrapper, known: Memory, fast: Fast, slow: Slow, *, holds_letters: Callable[[str], bool]
) -> bool:
    """Bring rows and memory up to what was seen. True when a name means another row than before. Raises SameCluster.

    `holds_letters`: whether an admin said so of a topic, whatever its name says.
    """
    came_along = broker_names.set_cluster_kafka_id(cursor, known.cluster_id, fast.overview.cluster_id)
    renamed = []
    for name, seen in sorted(slow.topics.items()):
        role = _ROLES["dead_letter"] if holds_letters(name) else _ROLES[role_by_name(name)]
        role = INTERNAL if seen.is_internal or is_internal(name) else role
        renamed.append(_store_topic(cursor, known, name, seen, role, fast.at))
    known.undescribed = {
        name: known.undescribed.get(name, 0) + 1 for name in unknown_topics(known, fast) if name not in slow.topics
    }
    _store_configs(cursor, known, slow, fast.at)
    ended = _end_topics(cursor, known, fast)
    _store_groups(cursor, known, fast, slow)
    return any(renamed) or ended or came_along


def _store_topic(
    cursor: CursorWrapper, known: Memory, name: str, seen: TopicDescribed, role: int, at: datetime
) -> bool:
    row = known.topics.get(name)
    if row and (row.kafka_id, row.role, row.n_partitions) == (seen.kafka_id, role, seen.n_partitions):
        return False
    number = broker_names.register_topic(cursor, known.cluster_id, name, seen, role=role, now=at)
    is_another = row is None or row.id != number
    if row and is_another:
        _forget(cursor, known, [name], at)
    configs = None if row is None or is_another else row.configs
    known.topics[name] = TopicRow(number, seen.kafka_id, role, seen.n_partitions, configs)
    return is_another


def _store_configs(cursor: CursorWrapper, known: Memory, slow: Slow, at: datetime) -> None:
    for name, configs in slow.configs.items():
        row = known.topics.get(name)
        if row is None:
            continue
        if row.configs != configs:
            broker_names.set_configs(cursor, known.cluster_id, row.id, before=row.configs, after=configs, now=at)
        known.topics[name] = TopicRow(row.id, row.kafka_id, row.role, row.n_partitions, configs)


def _end_topics(cursor: CursorWrapper, known: Memory, fast: Fast) -> bool:
    """A topic that only spans named may live on a broker that we do not see: it stays."""
    gone = [
        name for name, row in known.topics.items() if row.kafka_id is not None and name not in fast.overview.leaders
    ]
    if not gone:
        return False
    broker_names.end_topics(cursor, _forget(cursor, known, gone, fast.at), now=fast.at)
    return True


def _forget(cursor: CursorWrapper, known: Memory, names: Sequence[str], at: datetime) -> list[int]:
    """Sum up what these topics counted, and forget their numbers. Returns their ids."""
    sums.end_topics(cursor, known, {known.topics[name].id for name in names}, at)
    topic_ids = [known.forget_topic(name) for name in names]
    samples.forget_topics_now(cursor, topic_ids, now=at)
    return topic_ids


def forget_dead(known: Memory) -> None:
    """Groups that are gone with all that they read: who makes a group for each run would fill the memory with them."""
    dead = [(name, group.id) for name, group in known.groups.items() if group.state == DEAD]
    if dead:
        reading = {group_id for _, group_id in known.pairs}
        for name, number in dead:
            if number not in reading:
                del known.groups[name]


def _store_groups(cursor: CursorWrapper, known: Memory, fast: Fast, slow: Slow) -> None:
    forget_dead(known)
    changed = changed_groups(known, fast)
    listed = [group for group in fast.groups if group.name in changed]
    listed += [group for group in slow.hidden or () if _differs(known.groups.get(group.name), group)]
    gone = list(_gone_groups(known, fast, slow))
    if listed or gone:
        ids = broker_names.set_groups(cursor, known.cluster_id, [*listed, *gone], now=fast.at)
        for group in [*listed, *gone]:
            row = known.groups.setdefault(group.name, Group(ids[group.name], group.state, group.protocol))
            row.id, row.state, row.protocol = ids[group.name], group.state, group.protocol
    described = [*slow.groups, *(GroupDescribed(group.name, DEAD, group.protocol, ()) for group in gone)]
    if described:
        group_ids = {group.name: known.groups[group.name].id for group in described}
        broker_names.set_members(cursor, group_ids, described, now=fast.at)
        for each in described:
            row = known.groups[each.name]
            members = frozenset((member.member_id, member.assignment) for member in each.members)
            if row.members is not None and row.members != members:
                _mark_rebalance(cursor, known, row, len(members), fast.at)
            row.members = members
            row.topics = frozenset(topic for member in each.members for topic, _ in member.assignment)


def _mark_rebalance(cursor: CursorWrapper, known: Memory, group: Group, n_members: int, at: datetime) -> None:
    broker_names.add_mark(
        cursor,
        Mark.REBALANCE,
        at,
        known.cluster_id,
        group_id=group.id,
        before=str(group.n_members),
        after=str(n_members),
    )


def _gone_groups(known: Memory, fast: Fast, slow: Slow) -> Iterator[GroupListed]:
    """Groups that are listed no more and whose coordinator says so, and hidden ones that are not there any more."""
    dead = missed_groups(known, fast) & {group.name for group in slow.groups if group.state == DEAD}
    if slow.hidden is not None:
        there = {group.name for group in (*fast.groups, *slow.hidden)}
        dead |= {name for name, group in known.groups.items() if group.state == HIDDEN and name not in there}
    for name in sorted(dead):
        yield GroupListed(name, DEAD, GroupProtocol(known.groups[name].protocol))


def store_hints(cursor: CursorWrapper, known: Memory, group_of: GroupOf, at: datetime) -> bool:
    """Explain deliveries without a group as is declared, else by the only group that fits. True when that changed.

    A group that the cluster does not have explains nothing.
    """

    def declared(service: tuple[str, str], topic: str) -> int | None:
        name = group_of(service, topic)
        group = known.groups.get(name) if name else None  # Kafka knows a group without a name, too
        return group.id if group else None

    found = hints.declare(cursor, known.cluster_id, declared, now=at)
    open_questions = hints.unexplained(cursor, known.cluster_id)
    if not open_questions:
        return found
    readers = hints.readers(cursor, known.cluster_id)
    for question in open_questions:
        group_id = explaining_group(readers.get(question.topic_id, ()), names=question.names)
        if group_id is not None:
            found |= hints.set_hint(
                cursor, service_id=question.service_id, topic_id=question.topic_id, group_id=group_id, now=at
            )
    return found
