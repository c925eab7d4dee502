"""Names -> ids: clusters, services, topics, groups, edges, span names, attribute sets. One `Names` per thread."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection

from collector.domain.dialects.names import role
from collector.store import clusters
from collector.store.dictionaries import OTHER, Dictionary, Key, Refused, Shape
from collector.store.guard import Guard, Kind, folded

ROLES = {"business": 0, "dead_letter": 1, "retry": 2, "internal": 3}  # as stored in topic.role
KEEP_SECONDS = 60.0  # of what can change under us: clusters, living topics, tokens

SHAPES: Mapping[Kind, Shape] = {
    Kind.SERVICE: Shape(Kind.SERVICE, "service", ("namespace", "name"), ("text", "text")),
    Kind.SOURCE: Shape(Kind.SOURCE, "source", ("service_version_id", "instance"), ("int", "text")),
    Kind.TOPIC: Shape(
        Kind.TOPIC,
        "topic",
        ("cluster_id", "name"),
        ("smallint", "text"),
        living="t.deleted_at is null",
        extra=(("role", "smallint"),),
    ),
    Kind.GROUP: Shape(Kind.GROUP, "consumer_group", ("cluster_id", "name"), ("smallint", "text")),
    Kind.NAME: Shape(Kind.NAME, "span_name", ("name",), ("text",)),
    Kind.ATTRIBUTES: Shape(Kind.ATTRIBUTES, "attribute_set", ("digest",), ("uuid",), extra=(("body", "bytea"),)),
    Kind.EDGE: Shape(
        Kind.EDGE,
        "edge",
        ("kind", "service_id", "topic_id", "group_id"),
        ("smallint", "int", "int", "int"),
        nullable=frozenset({"service_id", "group_id"}),
    ),
}


class Names:
    """Every dictionary's cache, and the guard over all of them."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.guard = guard or Guard(counted(), most_an_hour=settings.WEIR_NEW_NAMES_PER_HOUR)
        self.refused = Refused()
        self._of: dict[Kind, Dictionary] = {kind: Dictionary(shape, self.guard) for kind, shape in SHAPES.items()}
        self._versions: dict[Key, int] = {}
        self._bumped: dict[int, datetime] = {}
        self._clients: set[tuple[int, str]] = set()
        self._noted: set[int] = set()
        self._noted_on: date | None = None
        self._fresh_until: datetime | None = None
        self._clusters = clusters.Known()
        self._of_senders: dict[str, int] = {}
        self._only_cluster: dict[str, int] = {}

    def forget(self) -> None:
        """Read again what can change: somebody announced new names."""
        self._fresh_until = None

    def begin(self, now: datetime) -> bool:
        """Before each batch: drop what is older than a minute; each day count anew, and look up again who sends.

        True when names may stand for something else than before.
        """
        self.guard.begin_hour(now)
        if self.guard.begins_day(now.date()):
            self.guard.count_anew(counted())
            for kind in (Kind.SOURCE, Kind.GROUP):
                self._of[kind].forget()
            self._fresh_until = None
        self.refused = Refused()
        keep = timedelta(seconds=KEEP_SECONDS)
        if self._fresh_until is None or not self._fresh_until - keep <= now < self._fresh_until:  # a clock may go back
            self._of[Kind.TOPIC].forget()
            self._only_cluster.clear()
            self._clusters = clusters.known()
            self._of_senders = clusters.of_senders()
            self._fresh_until = now + keep
            return True
        return False

    def services(self, wanted: Iterable[tuple[str, str]]) -> dict[Key, int]:
        """(namespace, name) -> id."""
        return self._ids(Kind.SERVICE, dict.fromkeys(wanted, 0))

    def sources(self, wanted: Iterable[tuple[int, str]]) -> dict[Key, int]:
        """(service version id, instance) -> id."""
        return self._ids(Kind.SOURCE, {key: key[0] for key in wanted})

    def topics(self, owners: Mapping[tuple[int, str], int]) -> dict[Key, int]:
        """(cluster id, name) -> id of the living topic; the value of `owners` is the service that spoke of it."""
        return self._of[Kind.TOPIC].ids(
            owners, extra=lambda key: (ROLES[role(key[1])],), fold=_folded, refused=self.refused
        )

    def groups(self, wanted: Iterable[tuple[int, str]]) -> dict[Key, int]:
        """(cluster id, name) -> id."""
        return self._ids(Kind.GROUP, {key: key[0] for key in wanted})

    def edges(self, wanted: Iterable[tuple[int, int | None, int, int | None]]) -> dict[Key, int]:
        """(kind, service id, topic id, group id) -> id."""
        return self._ids(Kind.EDGE, {key: key[1] or 0 for key in wanted})

    def span_names(self, owners: Mapping[str, int]) -> dict[str, int]:
        """Name -> id; the value of `owners` is the service that used it."""
        found = self._ids(Kind.NAME, {(name,): owner for name, owner in owners.items()})
        return {name: found[(name,)] for name in owners}

    def attribute_sets(self, bodies: Iterable[bytes]) -> dict[bytes, int]:
        """Body (a JSON object) -> id. Over the limit, sets that differ only in numbers and ids become one."""
        by_digest = {digest(body): body for body in bodies}
        shelf = dict(by_digest)

        def fold(key: Key) -> Key:
            body = _folded_body(by_digest[key[0]])
            shelf[digest(body)] = body
            return (digest(body),)

        sets = self._of[Kind.ATTRIBUTES]
        found = sets.ids(
            {(key,): 0 for key in by_digest}, extra=lambda key: (shelf[key[0]],), refused=self.refused, fold=fold
        )
        return {body: found[(key,)] for key, body in by_digest.items()}

    def cluster(self, *, kafka_id: str | None, topic: str, source: str) -> int:
        """Cluster of a topic that a span names: what the span says, else its sender's, else the only one that has it,
        else the one declared for what nobody can say.

        While Weir knows a single cluster it is that one: the topic may be too young for the sampler to have seen it.
        """
        if kafka_id:
            return self._cluster_named(kafka_id)
        if (found := self._of_senders.get(source)) is not None:
            return found
        if len(self._clusters.candidates) == 1:
            return self._clusters.candidates[0]
        if topic not in self._only_cluster:
            self._only_cluster |= {topic: self._clusters.default, **clusters.that_have([topic])}
        return self._only_cluster[topic]

    def versions(self, wanted: Iterable[tuple[int, str]], now: datetime) -> dict[Key, int]:
        """(service id, version) -> id; marks a service's change of version."""
        keys = set(wanted)
        if missing := sorted(key for key in keys if key not in self._versions):
            self._versions |= _known_versions(missing)
            new = [key for key in missing if key not in self._versions and self.guard.admits(Kind.VERSION, key[0])]
            if new:
                _make_versions(new, now)
                self._versions |= _known_versions(new)
        return {key: self._versions.get(key, 0) for key in keys}

    def note_versions(self, seen: set[int], now: datetime) -> None:
        """Keep when these versions were last seen, each about once a minute."""
        versions = seen - {OTHER}
        stale = [number for number in versions if (now - self._bumped.get(number, now)).total_seconds() >= KEEP_SECONDS]
        for number in [*stale, *(number for number in versions if number not in self._bumped)]:
            self._bumped[number] = now
        if stale:
            with connection.cursor() as cursor:
                cursor.execute(
                    "update service_version set last_at = %s where id in (select id from service_version"
                    " where id = any(%s) and last_at < %s order by id for update skip locked)",
                    [now, stale, now],
                )

    def note_sources(self, seen: Iterable[int], now: datetime) -> None:
        """Keep on which day these last sent something: whoever has not for long is forgotten."""
        today = now.date()
        if self._noted_on != today:
            self._noted_on, self._noted = today, set()
        new = sorted(set(seen) - self._noted - {OTHER})
        if new:
            with connection.cursor() as cursor:
                cursor.execute(
                    "update source set seen_on = %s where id in (select id from source"
                    " where id = any(%s) and seen_on < %s order by id for update)",
                    [today, new, today],
                )
            self._noted.update(new)

    def note_clients(self, wanted: Iterable[tuple[int, str]]) -> None:
        """Remember which client ids a service's spans name."""
        missing = set(wanted) - self._clients
        if missing:
            self._clients |= _known_clients(missing)
        new = sorted(key for key in missing - self._clients if self.guard.admits(Kind.CLIENT, key[0]))
        if new:
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into service_client (service_id, client_id) select * from unnest(%s::int[], %s::text[])"
                    " on conflict do nothing",
                    [[service for service, _ in new], [client for _, client in new]],
                )
            self._clients.update(new)

    def _ids(self, kind: Kind, owners: Mapping[Key, int]) -> dict[Key, int]:
        return self._of[kind].ids(owners, fold=_folded, refused=self.refused)

    def _cluster_named(self, kafka_id: str) -> int:
        """An observed cluster learns its id from its broker first, or spans would make a second row for it."""
        found = self._clusters.by_kafka_id.get(kafka_id)
        if found is not None:
            return found
        if self._clusters.all_named and self.guard.admits(Kind.CLUSTER, 0):
            clusters.named_by_spans(kafka_id)
            self._clusters = clusters.known()
            return self._clusters.by_kafka_id.get(kafka_id, clusters.UNKNOWN)
        candidates = self._clusters.candidates
        return candidates[0] if len(candidates) == 1 else clusters.UNKNOWN


def digest(body: bytes) -> UUID:
    """What tells attribute sets apart."""
    return UUID(bytes=hashlib.blake2b(body, digest_size=16).digest())


def counted() -> Counter[tuple[Kind, int]]:
    """What the tables hold now, per kind and owner: where a new process's guard starts."""
    counts: Counter[tuple[Kind, int]] = Counter()
    with connection.cursor() as cursor:
        for kind, statement in _COUNTS.items():
            cursor.execute(statement)
            for owner, n in cursor.fetchall():
                counts[kind, owner] = n
    return counts


_COUNTS = {
    Kind.SERVICE: "select 0, count(*) from service",
    Kind.VERSION: "select service_id, count(*) from service_version group by 1",
    Kind.TOPIC: "select e.service_id, count(distinct e.topic_id) from edge e join topic t on t.id = e.topic_id"
    " where t.kafka_id is null and e.service_id is not null group by 1",
    Kind.GROUP: "select cluster_id, count(*) from consumer_group group by 1",
    Kind.ATTRIBUTES: "select 0, count(*) from attribute_set",
    Kind.EDGE: "select service_id, count(*) from edge where service_id is not null group by 1",
    Kind.CLIENT: "select service_id, count(*) from service_client group by 1",
    Kind.CLUSTER: "select 0, count(*) from cluster",
}


def _known_clients(keys: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.service_id, c.client_id from service_client c"
            " join unnest(%s::int[], %s::text[]) k(service_id, client_id) using (service_id, client_id)",
            [[service for service, _ in keys], [client for _, client in keys]],
        )
        return set(cursor.fetchall())


def _known_versions(keys: list[tuple[int, str]]) -> dict[Key, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select v.service_id, v.version, v.id from service_version v"
            " join unnest(%s::int[], %s::text[]) k(service_id, version) using (service_id, version)",
            [[service for service, _ in keys], [version for _, version in keys]],
        )
        return {(service, version): number for service, version, number in cursor.fetchall()}


def _make_versions(keys: list[tuple[int, str]], now: datetime) -> None:
    """Insert, and in the same statement mark the change on a service that had another version before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with made as (insert into service_version (service_id, version, first_at, last_at)"
            "  select k.service_id, k.version, %s, %s from unnest(%s::int[], %s::text[]) k(service_id, version)"
            "  on conflict do nothing returning service_id, version, first_at)"
            " insert into change_mark (at, kind, service_id, before, after)"
            " select made.first_at, 1, made.service_id, v.version, made.version from made cross join lateral"
            "  (select version from service_version v where v.service_id = made.service_id"
            "   order by last_at desc limit 1) v"
            " on conflict do nothing",
            [now, now, [service for service, _ in keys], [version for _, version in keys]],
        )


def _folded(key: Key) -> Key:
    return tuple(folded(part) if isinstance(part, str) else part for part in key)


def _folded_body(body: bytes) -> bytes:
    def fold(value: object) -> object:
        if isinstance(value, dict):
            return {name: fold(held) for name, held in value.items()}
        if isinstance(value, list):
            return [fold(held) for held in value]
        return folded(value) if isinstance(value, str) else (None if isinstance(value, int | float) else value)

    return json.dumps(fold(json.loads(body)), sort_keys=True, separators=(",", ":")).encode()
