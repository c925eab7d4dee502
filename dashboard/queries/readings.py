"""Who read what in a window: the groups on a topic, or the topics of a group, those that read no more among them."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from dashboard.queries.window import Window


class LastSeen(NamedTuple):
    """A group on a topic at the end of a window: its lag, and since when it reads no more; None: it still does.

    In windows of the past the lag is to the hour; None is unknown.
    """

    lag: int | None
    gone_at: datetime | None

    @property
    def order(self) -> tuple[bool, int]:
        """Those that still read before the others, the furthest behind first."""
        return self.gone_at is not None, -(self.lag or 0)


def groups_on(topic_id: int, window: Window) -> Mapping[int, LastSeen]:
    """Of every group that read a topic in a window. One statement."""
    return _read(_STATEMENT.format(key="group_id", own="topic_id = %(own)s"), topic_id, window)


def topics_of(group_id: int, window: Window) -> Mapping[int, LastSeen]:
    """Of every topic that a group read in a window. One statement."""
    return _read(_STATEMENT.format(key="topic_id", own="group_id = %(own)s"), group_id, window)


def _read(statement: str, own: int, window: Window) -> Mapping[int, LastSeen]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"own": own, "from": window.from_at, "to": window.to_at, "live": window.live})
        return {key: LastSeen(lag, gone_at) for key, lag, gone_at in cursor.fetchall()}


# Who is in both tables reads again: told last. Of those that went, who came after the window read nothing in it.
# Every day begins with a row of everything.
_STATEMENT = """
    select n.{key}, case when %(live)s then n.lag else e.lag end, case when n.gone_at <= %(to)s then n.gone_at end
    from (
      select topic_id, group_id, null::bigint lag, gone_at from group_gone where {own} and gone_at > %(from)s
        and exists (select from consumer_group g where g.id = group_id and g.first_at <= %(to)s)
      union all select topic_id, group_id, lag, null from group_now where {own}
    ) n
    left join lateral (select h.lag from group_1h h where not %(live)s and h.topic_id = n.topic_id
      and h.group_id = n.group_id and h.bucket_at > %(to)s - interval '26 hours' and h.bucket_at <= %(to)s
      order by h.bucket_at desc limit 1) e on true
    order by n.gone_at nulls last
"""
