"""The topics and groups that dead letters name, as ids: only what the letter's own cluster has is taken for true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import DeadLetter

MOST_CLAIMED_GROUPS = 2_000  # a cluster's groups that only headers name: forged ones must not fill the list
_LONGEST = timedelta(days=3_650)
Named = tuple[int, str]  # cluster id, name


@dataclass(frozen=True, slots=True)
class Places:
    """Ids by the cluster of the dead-letter topic, and how long that topic keeps its records (None: not known)."""

    clusters: Mapping[int, int]
    keeps: Mapping[int, timedelta]
    topics: Mapping[Named, int]
    groups: Mapping[Named, int]

    def topic(self, dead_letter_topic_id: int, name: str | None) -> int | None:
        """Id of a living topic that the cluster has; a claimed one that it does not have gets no row."""
        return self.topics.get((self.clusters.get(dead_letter_topic_id, 0), name)) if name else None

    def group(self, dead_letter_topic_id: int, name: str | None) -> int | None:
        """Id of a consumer group."""
        return self.groups.get((self.clusters.get(dead_letter_topic_id, 0), name)) if name else None

    def kept_for(self, dead_letter_topic_id: int) -> timedelta | None:
        """How long Kafka keeps the topic's records."""
        return self.keeps.get(dead_letter_topic_id)


def places(cursor: CursorWrapper, found: Sequence[tuple[int, DeadLetter]]) -> Places:
    """Look up everything that these letters name, in at most four statements. Groups are made if missing."""
    cursor.execute(
        "select id, cluster_id, configs ->> 'retention.ms', configs ->> 'cleanup.policy' from topic where id = any(%s)",
        [sorted({topic_id for topic_id, _ in found})],
    )
    clusters, keeps = {}, {}
    for topic_id, cluster_id, retention_ms, policy in cursor.fetchall():
        clusters[topic_id] = cluster_id
        if kept := _kept_for(retention_ms, policy):
            keeps[topic_id] = kept
    said = {(topic_id, letter.origin.topic, letter.latest.topic, letter.group) for topic_id, letter in found}
    names, groups = set(), set()
    for topic_id, *topics, group in said:
        cluster_id = clusters.get(topic_id, 0)
        names |= {(cluster_id, topic) for topic in topics if topic}
        groups |= {(cluster_id, group)} if group else set()
    known = _known_groups(cursor, groups)
    if missing := sorted(groups - known.keys()):
        _make_groups(cursor, missing)
        known |= _known_groups(cursor, set(missing))
    return Places(clusters, keeps, _known_topics(cursor, names), known)


def _kept_for(retention_ms: str | None, policy: str | None) -> timedelta | None:
    """None where the topic keeps everything, only compacts, or was not described yet."""
    if not retention_ms or not retention_ms.isdigit() or policy == "compact":
        return None
    return min(timedelta(milliseconds=min(int(retention_ms), 10**15)), _LONGEST)


def _known_topics(cursor: CursorWrapper, names: set[Named]) -> dict[Named, int]:
    return _known(cursor, "topic", names, living="and k.deleted_at is null")


def _known_groups(cursor: CursorWrapper, names: set[Named]) -> dict[Named, int]:
    """Locked as a foreign key would: forgotten_names must not delete one that a letter is about to name."""
    return _known(cursor, "consumer_group", names, lock="for key share of k")


def _known(
    cursor: CursorWrapper, table: str, names: set[Named], *, living: str = "", lock: str = ""
) -> dict[Named, int]:
    if not names:
        return {}
    ordered = sorted(names)
    cursor.execute(
        f"select k.cluster_id, k.name, k.id from {table} k"  # noqa: S608  both are constants of this module
        f" join unnest(%s::smallint[], %s::text[]) f(cluster_id, name) using (cluster_id, name) where true {living}"
        f" order by k.id {lock}",
        [[cluster for cluster, _ in ordered], [name for _, name in ordered]],
    )
    return {(cluster, name): number for cluster, name, number in cursor.fetchall()}


def _make_groups(cursor: CursorWrapper, missing: Sequence[Named]) -> None:
    """A group that the broker does not know (any more) is still who failed."""
    cursor.execute(
        "insert into consumer_group (cluster_id, name)"
        " select f.cluster_id, f.name from unnest(%s::smallint[], %s::text[]) f(cluster_id, name)"
        " where (select count(*) from consumer_group g where g.cluster_id = f.cluster_id and g.state_at is null) < %s"
        " order by 1, 2 on conflict do nothing",
        [[cluster for cluster, _ in missing], [name for _, name in missing], MOST_CLAIMED_GROUPS],
    )
