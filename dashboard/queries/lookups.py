"""Questions to Kafka that a person asked, and their answers without what rules mask: nobody else's, for ten minutes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection

from collector.domain.frames import readable
from collector.domain.lookups import Course, Question, Why
from collector.domain.masking import MASK, Aim
from collector.domain.records import Headers
from collector.lookups.requests import KEPT_FOR
from dashboard.queries import hiding
from dashboard.queries.hiding import NO_FIELDS, Lifted

MOST_MINE = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A record that was found, as it may be seen. `is_cut`: only the beginning of a very large one was kept.

    `is_withheld`: its value was not kept, for a drop rule is meant for it and it cannot be looked into. `place`: which
    one of the answer it is.
    """

    place: int
    partition: int
    offset: int
    produced_at: datetime | None
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    n_value_bytes: int
    is_cut: bool
    is_withheld: bool
    is_masked: bool
    rules: tuple[str, ...]
    maskable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question. `answered_at` None: nobody answered yet; `taken_at` None: no worker has taken it up.

    `trouble`: why there is no answer. `n_read` records of `n_read_bytes` were looked at; the topic has `n_partitions`.
    """

    id: int
    topic_id: int
    cluster: str
    topic: str
    is_deleted: bool
    asked_at: datetime
    taken_at: datetime | None
    answered_at: datetime | None
    trouble: str
    question: Question
    courses: tuple[Course, ...]
    n_read: int
    n_read_bytes: int
    n_partitions: int
    n_matches: int

    @property
    def kept_until(self) -> datetime:
        """Then it is deleted."""
        return self.asked_at + KEPT_FOR

    @property
    def n_left_out(self) -> int:
        """Partitions that were asked for and not read: beyond the most at once, or they did not answer."""
        if self.answered_at is None or self.trouble:
            return 0
        asked = len(self.question.positions) or (self.n_partitions if self.question.partition is None else 1)
        return max(0, asked - len(self.courses))

    @property
    def onward(self) -> Question | None:
        """The same question from where this one stopped, of the partitions that are not read to their end."""
        newest = self.question.way == "newest"
        last = Why.BEGINNING if newest else Why.END
        places = {each.number: each.begin if newest else each.end for each in self.courses if each.why is not last}
        asked = self.question
        return replace(asked, at=None, positions=places, partition=None) if places else None


_COLUMNS = (
    "l.id, l.topic_id, c.name, t.name, t.deleted_at is not null, l.asked_at, l.taken_at, l.answered_at, l.trouble,"
    " l.question::text, l.courses::text, l.n_read, l.n_read_bytes, l.n_partitions,"
    " (select count(*) from lookup_match m where m.lookup_id = l.id)"
    " from lookup l join topic t on t.id = l.topic_id join cluster c on c.id = t.cluster_id"
)


def lookup(number: int, person_id: int, *, now: datetime) -> Lookup | None:
    """A question of this person, or None. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {_COLUMNS} where l.id = %s and l.person_id = %s and l.asked_at > %s",
            [number, person_id, now - KEPT_FOR],
        )
        row = cursor.fetchone()
    return _lookup(row) if row else None


def lookups(topic_id: int, person_id: int, *, now: datetime) -> tuple[Lookup, ...]:
    """What this person asked of a topic lately, newest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {_COLUMNS} where l.topic_id = %s and l.person_id = %s and l.asked_at > %s"
            " order by l.id desc limit %s",
            [topic_id, person_id, now - KEPT_FOR, MOST_MINE],
        )
        return tuple(map(_lookup, cursor.fetchall()))


def topics_of(number: int) -> tuple[str, ...]:
    """The topics whose mask rules are meant for its records: its own, and where dead letters came from.

    One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct unnest(array[t.name] || coalesce(m.origins, '{}')) from lookup l"
            " join topic t on t.id = l.topic_id left join lookup_match m on m.lookup_id = l.id where l.id = %s",
            [number],
        )
        return tuple(sorted(name for (name,) in cursor.fetchall()))


def records(found: Lookup, *, lifted: Lifted = NO_FIELDS, place: int | None = None) -> tuple[Seen, ...]:
    """The records of an answer, or one of them. The caller has asked whether they may be seen. One statement.

    `lifted`: what is unmasked.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select place, kafka_partition, kafka_offset, produced_at, timestamp_type, key, value, headers, n_bytes,"
            " n_value_bytes, is_cut, is_withheld, origins, (select secret from mask_key) from lookup_match"
            " where lookup_id = %(id)s and (%(place)s::int is null or place = %(place)s) order by place",
            {"id": found.id, "place": place},
        )
        return tuple(_seen(found.topic, row, lifted) for row in cursor.fetchall())


def _lookup(row: Sequence[Any]) -> Lookup:
    number, topic_id, cluster, topic, is_deleted, asked_at, taken_at, answered_at, trouble, *rest = row
    question, courses, *counts = rest
    n_read, n_read_bytes, n_partitions, n_matches = counts
    told = (Course(**{**each, "why": each["why"] and Why(each["why"])}) for each in json.loads(courses))
    return Lookup(
        number,
        topic_id,
        cluster,
        topic,
        is_deleted,
        asked_at,
        taken_at,
        answered_at,
        trouble,
        Question.of_plain(json.loads(question)),
        tuple(told),
        n_read,
        n_read_bytes,
        n_partitions,
        n_matches,
    )


def _seen(topic: str, row: Sequence[Any], lifted: Lifted) -> Seen:
    place, partition, offset, produced_at, timestamp_type, *held, n_bytes, n_value_bytes = row[:10]
    is_cut, is_withheld, origins, secret = row[10:]
    topics = (topic, *origins)
    aim = hiding.aim_for(*topics, lifted=lifted)
    key, value, headers = _veiled([None if each is None else bytes(each) for each in held], aim, secret, is_cut=is_cut)
    return Seen(
        place,
        partition,
        offset,
        produced_at,
        timestamp_type,
        key,
        value,
        headers,
        n_bytes,
        n_value_bytes,
        is_cut,
        is_withheld,
        is_masked=bool(aim),
        rules=hiding.rule_names(*topics) if aim else (),
        maskable=tuple(dict.fromkeys(each for each in topics if hiding.aim_for(each))),
    )


def _veiled(
    held: Sequence[bytes | None], aim: Aim, secret: bytes, *, is_cut: bool
) -> tuple[bytes | None, bytes | None, Headers | None]:
    """Key, value and headers as they may be seen. Of what was cut nobody can tell what of it is masked."""
    key, value, framed = held
    if not aim:
        return key, value, readable(framed or b"")
    if is_cut:
        return key and MASK.encode(), value and MASK.encode(), ()
    veil = hiding.veil(aim, key=key, value=value, headers=framed, secret=bytes(secret))
    seen = veil.seen or hiding.ALL_HIDDEN
    return veil.key(key), None if value is None else seen.value, seen.headers
