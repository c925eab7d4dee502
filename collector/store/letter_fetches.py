"""Topics whose old records are fetched as dead letters: which are next, and how far they are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

BUSINESS, DEAD_LETTER = 0, 1  # topic.role
TAP = 3  # input.kind


@dataclass(frozen=True, slots=True)
class Fetch:
    """A topic, where its fetch goes on (by partition), and how far the intake has read it meanwhile."""

    topic_id: int
    topic: str
    cluster: str
    asked_at: datetime
    next_offsets: Mapping[int, int]
    taken_up_to: Mapping[int, int]


def ask(cursor: CursorWrapper, *, is_meant: Callable[[str], bool], by: str, now: datetime) -> None:
    """Have the records fetched of business topics that hold dead letters from now on."""
    cursor.execute("select id, name from topic where role = %s and deleted_at is null and id > 0", [BUSINESS])
    found = [number for number, name in cursor.fetchall() if is_meant(name)]
    cursor.execute("update topic set role = %s where id = any(%s)", [DEAD_LETTER, found])
    cursor.execute(
        "insert into letter_fetch (topic_id, asked_by, asked_at) select n, %s, %s from unnest(%s::int[]) n"
        " on conflict (topic_id) do update set asked_by = excluded.asked_by, asked_at = excluded.asked_at,"
        "  ended_at = null",
        [by, now, found],
    )


def oldest(cursor: CursorWrapper) -> Fetch | None:
    """The one that is to go on, locked; None where there is none, or another worker has it."""
    cursor.execute(
        "select f.topic_id, t.name, c.name, f.asked_at, f.next_offsets::text, (select coalesce(jsonb_object_agg("
        "   p.partition, p.next_offset), '{}')::text from intake_position p join input i on i.id = p.input_id"
        "   where i.kind = %s and p.topic_uuid = t.kafka_id)"
        " from letter_fetch f join topic t on t.id = f.topic_id join cluster c on c.id = t.cluster_id"
        " where f.ended_at is null and t.deleted_at is null order by f.trouble <> '', f.asked_at, f.topic_id limit 1"
        " for update of f skip locked",
        [TAP],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    number, topic, cluster, asked_at, next_offsets, taken = row
    return Fetch(number, topic, cluster, asked_at, _by_partition(next_offsets), _by_partition(taken))


def advance(cursor: CursorWrapper, topic_id: int, *, next_offsets: Mapping[int, int], n_done: int, n_all: int) -> None:
    """So far it is; `n_all` offsets there are in all."""
    cursor.execute(
        "update letter_fetch set next_offsets = %s, n_done = n_done + %s, n_all = %s, trouble = '' where topic_id = %s",
        [json.dumps(next_offsets), n_done, n_all, topic_id],
    )


def note_trouble(cursor: CursorWrapper, topic_id: int, trouble: str) -> None:
    """What it waits for."""
    cursor.execute("update letter_fetch set trouble = %s where topic_id = %s", [trouble[:500], topic_id])


def end(cursor: CursorWrapper, topic_id: int, *, now: datetime) -> None:
    """All are fetched."""
    cursor.execute("update letter_fetch set ended_at = %s where topic_id = %s", [now, topic_id])


def _by_partition(text: str) -> dict[int, int]:
    return {int(number): offset for number, offset in json.loads(text).items()}
