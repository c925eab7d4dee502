"""Whether Weir may write to the topics that retries go to, as a worker asked the brokers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper


@dataclass(frozen=True, slots=True)
class Right:
    """What is known of one target. `checked_at` None: no worker has answered yet; `may_write` None: not told."""

    asked_at: datetime
    checked_at: datetime | None
    may_write: bool | None
    trouble: str


def known(cursor: CursorWrapper, topics: Collection[int]) -> dict[int, Right]:
    """Topic id -> what is known, for those that were asked about."""
    cursor.execute(
        "select topic_id, asked_at, checked_at, may_write, trouble from target_right where topic_id = any(%s)",
        [sorted(topics)],
    )
    return {row[0]: Right(*row[1:]) for row in cursor.fetchall()}


def ask(cursor: CursorWrapper, topics: Collection[int], *, now: datetime, again_after: timedelta) -> list[int]:
    """Note that these are asked about; those of which nobody asked lately."""
    cursor.execute(
        "insert into target_right as r (topic_id, asked_at) select t, %s from unnest(%s::int[]) t order by t"
        " on conflict (topic_id) do update set asked_at = excluded.asked_at where r.asked_at < %s returning topic_id",
        [now, sorted(topics), now - again_after],
    )
    return sorted(number for (number,) in cursor.fetchall())


def names(cursor: CursorWrapper, topics: Collection[int]) -> list[tuple[int, str, str]]:
    """Id, cluster and name of those that live."""
    cursor.execute(
        "select t.id, c.name, t.name from topic t join cluster c on c.id = t.cluster_id"
        " where t.id = any(%s) and t.deleted_at is null order by c.name, t.name",
        [sorted(topics)],
    )
    return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


def note(cursor: CursorWrapper, found: Mapping[int, bool | None], *, trouble: str = "", now: datetime) -> None:
    """What the brokers said of each, or the trouble that nothing came of asking."""
    rows: Sequence[tuple[int, bool | None]] = sorted(found.items())
    cursor.execute(
        "update target_right r set checked_at = %s, may_write = f.may, trouble = %s"
        " from unnest(%s::int[], %s::boolean[]) f(topic_id, may) where r.topic_id = f.topic_id",
        [now, trouble[:500], [number for number, _ in rows], [may for _, may in rows]],
    )
