"""How many dead letters stand where, by failure group and topic: adjusted in the transaction that moves them, last."""

from collections.abc import Mapping

from django.db.backends.utils import CursorWrapper


def adjust(cursor: CursorWrapper, changes: Mapping[tuple[int, int, int], int]) -> None:
    """Add to the counts of (failure group, topic, status). Sorted, so that two of these never wait in a circle."""
    rows = sorted((*of, n) for of, n in changes.items() if n)
    if not rows:
        return
    cursor.execute(
        "insert into failure_count as c (failure_group_id, topic_id, status, n)"
        " select * from unnest(%s::bigint[], %s::int[], %s::smallint[], %s::bigint[])"
        " on conflict (failure_group_id, topic_id, status) do update set n = c.n + excluded.n",
        [list(column) for column in zip(*rows, strict=True)],
    )
