"""Questions to Kafka and their answers: asked, taken, answered, and forgotten after ten minutes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.domain.frames import framed
from collector.domain.lookups import Course, Match
from collector.store.letter_fetches import DEAD_LETTER

KEPT_FOR = timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(minutes=1)  # a worker that took it has ended: it reads for seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits: to which topic of which cluster, as JSON has it."""

    id: int
    cluster: str
    topic: str
    holds_letters: bool
    is_deleted: bool
    question: Mapping[str, Any]


def ask(cursor: CursorWrapper, *, person_id: int, topic_id: int, question: Mapping[str, Any], now: datetime) -> int:
    """Note a question; its number."""
    cursor.execute(
        "insert into lookup (person_id, topic_id, asked_at, question) values (%s, %s, %s, %s) returning id",
        [person_id, topic_id, now, json.dumps(question)],
    )
    return int(cursor.fetchone()[0])


def waiting(cursor: CursorWrapper, person_id: int, *, now: datetime) -> int:
    """How many of this person's questions are not answered yet, read under the lock that asking takes."""
    cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_ASKING, person_id])
    cursor.execute(
        "select count(*) from lookup where person_id = %s and answered_at is null and asked_at > %s",
        [person_id, now - KEPT_FOR],
    )
    return int(cursor.fetchone()[0])


def keep_newest(cursor: CursorWrapper, person_id: int, most: int) -> None:
    """Forget a person's answers beyond so many questions."""
    cursor.execute(
        "delete from lookup where person_id = %(person)s and answered_at is not null and id <="
        " (select id from lookup where person_id = %(person)s order by id desc offset %(most)s limit 1)",
        {"person": person_id, "most": most},
    )


def take(*, now: datetime) -> Asked | None:
    """The oldest question that nobody reads for, taken; None where there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "update lookup l set taken_at = %(now)s from topic t join cluster c on c.id = t.cluster_id"
            " where t.id = l.topic_id and l.id = (select id from lookup where answered_at is null and taken_at is null"
            "   and asked_at > %(since)s order by id limit 1 for update skip locked)"
            " returning l.id, c.name, t.name, t.role = %(letters)s, t.deleted_at is not null, l.question::text",
            {"now": now, "since": now - KEPT_FOR, "letters": DEAD_LETTER},
        )
        row = cursor.fetchone()
    if row is None:
        return None
    number, cluster, topic, holds_letters, is_deleted, text = row
    return Asked(number, cluster, topic, holds_letters, is_deleted, json.loads(text))


def answer(
    cursor: CursorWrapper,
    number: int,
    matches: Sequence[Match],
    courses: Sequence[Course],
    *,
    n_read: int,
    n_read_bytes: int,
    n_partitions: int,
    now: datetime,
) -> None:
    """Keep what was found; nothing where the question is forgotten or given up meanwhile."""
    cursor.execute(
        "update lookup set answered_at = %s, courses = %s, n_read = %s, n_read_bytes = %s, n_partitions = %s"
        " where id = %s and answered_at is null",
        [now, json.dumps([asdict(course) for course in courses]), n_read, n_read_bytes, n_partitions, number],
    )
    if cursor.rowcount:
        cursor.executemany(
            "insert into lookup_match values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [_row(number, place, match) for place, match in enumerate(matches)],
        )


def fail(cursor: CursorWrapper, number: int, trouble: str, *, now: datetime) -> None:
    """Say why there is no answer."""
    cursor.execute(
        "update lookup set answered_at = %s, trouble = %s where id = %s and answered_at is null",
        [now, trouble[:500], number],
    )


def give_up(cursor: CursorWrapper, *, now: datetime) -> list[int]:
    """Questions whose worker ended: no other reads for them again, for it may have ended by them."""
    cursor.execute(
        "update lookup set answered_at = %s, trouble = %s where answered_at is null and taken_at < %s returning id",
        [now, "The worker ended while it read. Ask again.", now - GIVEN_UP_AFTER],
    )
    return [number for (number,) in cursor.fetchall()]


def forget(cursor: CursorWrapper, *, now: datetime) -> None:
    """Delete what was asked more than ten minutes ago, answered or not."""
    cursor.execute("delete from lookup where asked_at <= %s", [now - KEPT_FOR])


def is_anything_waiting(cursor: CursorWrapper) -> bool:
    """Whether a question waits for a worker."""
    cursor.execute("select exists (select from lookup where answered_at is null and taken_at is null)")
    return bool(cursor.fetchone()[0])


_ASKING = 0x57454607  # first key of the advisory lock under which a person's questions are counted


def _row(number: int, place: int, match: Match) -> tuple[Any, ...]:
    record = match.record
    return (
        number,
        place,
        record.partition,
        record.offset,
        record.produced_at,
        record.timestamp_type,
        record.key,
        record.value,
        framed(record.headers),
        match.n_bytes,
        match.n_value_bytes,
        match.is_cut,
        match.is_withheld,
        list(match.origins),
    )
