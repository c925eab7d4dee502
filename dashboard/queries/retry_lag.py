"""The lag of the groups that read what an operation sends to, while it runs: from the kept samples of the brokers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from dashboard.queries.lines import Series
from dashboard.queries.series import series
from dashboard.queries.window import LONGEST, Window

MOST_TARGETS = 5
LEAST_AROUND, MOST_AROUND = timedelta(minutes=1), timedelta(minutes=30)
AROUND = 0.2  # of the time that it ran: what was usual before it, and what became of the lag behind it


@dataclass(frozen=True, slots=True)
class Target:
    """A topic that copies go to, and how many letters."""

    id: int
    name: str
    cluster: str
    n: int


@dataclass(frozen=True, slots=True)
class TargetLag:
    """Lines of the topic `chosen`, one of `targets` (at most 5, most letters first), over `window`."""

    targets: tuple[Target, ...]
    chosen: Target
    window: Window
    lines: Series


def run_of(*, since: datetime, ended_at: datetime | None, now: datetime) -> Window:
    """The window around an operation that was confirmed at `since`: live while it runs, 400 days at most."""
    until = ended_at or now
    around = min(MOST_AROUND, max(LEAST_AROUND, AROUND * (until - since)))
    to_at = min(now, until + around) if ended_at else now
    return Window(max(since - around, to_at - LONGEST), to_at, live=to_at == now)


def target_lag(number: int, window: Window, *, topic: str = "", now: datetime) -> TargetLag | None:
    """Lag on the target of this name, or on the one that most letters go to; None where nothing is to be sent.

    One statement, and those of `series`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TARGETS, {"id": number, "most": MOST_TARGETS})
        targets = tuple(Target(*row) for row in cursor.fetchall())
    if not targets:
        return None
    chosen = next((target for target in targets if target.name == topic), targets[0])
    return TargetLag(targets, chosen, window, series(chosen.cluster, chosen.id, window, now=now))


# An operation has at most 100,000 items; where all go to one topic, they are not looked at.
_TARGETS = """
    select t.id, t.name, c.name, n.n
    from (select o.target_topic_id, o.n_items n from retry_operation o
        where o.id = %(id)s and o.target_topic_id is not null and o.status <> 6
      union all select i.target_topic_id, count(*)::int
        from retry_operation o join retry_item i on i.operation_id = o.id
        where o.id = %(id)s and o.target_topic_id is null group by 1) n
    join topic t on t.id = n.target_topic_id join cluster c on c.id = t.cluster_id
    order by n.n desc, t.id limit %(most)s
"""
