"""What changed, and when: deploys, settings, partitions, topics created again, rebalances, rewinds, losses, cuts."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from dashboard.queries.window import Window

LIMIT = 100
KINDS = {1: "version", 2: "again", 3: "partitions", 4: "config", 5: "rewind", 6: "rebalance", 7: "lost", 8: "cut"}


@dataclass(frozen=True, slots=True)
class Change:
    """One setting before and after; None is "not set"."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """One change. `who` is the service, group or topic that changed, `on` the topic on which a group went back;
    `changes` are the settings of a `config` mark.
    """

    at: datetime
    kind: str
    who: str
    sentence: str
    changes: tuple[Change, ...] = ()
    on: str = ""

    @property
    def key(self) -> str:
        """Names its row in the list of changes: when, in milliseconds since 1970. Others may have the same."""
        return str(round(self.at.timestamp() * 1000))

    @property
    def row(self) -> str:
        """Names just this one among those of a list."""
        return " ".join((self.key, self.kind, self.who, self.on, self.sentence))


@dataclass(frozen=True, slots=True)
class Marks:
    """Newest first; `truncated`: there were more in the window."""

    items: tuple[Mark, ...]
    truncated: bool


def marks_of_topic(topic_id: int, window: Window) -> Marks:
    """Changes of a topic, of the groups that read it, and of the services on both sides. One statement."""
    return _marks(
        "m.topic_id = %(number)s"
        " or (m.topic_id is null and m.group_id in (select group_id from group_now where topic_id = %(number)s"
        "   union all select group_id from group_gone where topic_id = %(number)s))"
        " or m.service_id in (select service_id from edge where topic_id = %(number)s)",
        topic_id,
        window,
    )


def marks_of_group(group_id: int, window: Window) -> Marks:
    """Changes of a group, of the topics that it reads, and of the services that read as it. One statement."""
    return _marks(
        "m.group_id = %(number)s"
        " or (m.group_id is null and m.topic_id in (select topic_id from group_now where group_id = %(number)s"
        "   union all select topic_id from group_gone where group_id = %(number)s))"
        " or m.service_id in (select service_id from edge where kind = 2 and group_id = %(number)s"
        "   union all select service_id from group_hint where group_id = %(number)s)",
        group_id,
        window,
    )


def last_rewind(group_id: int, topic: str, window: Window) -> Mark | None:
    """The newest one of a group on a topic, if there was one. One statement."""
    found = _marks("m.group_id = %(number)s and m.kind = 5", group_id, window)
    return next((mark for mark in found.items if mark.on == topic), None)


def marks_of_service(service_id: int, window: Window) -> Marks:
    """Changes of a service, of the topics on both its sides, and of the groups that it reads as. One statement."""
    return _marks(
        "m.service_id = %(number)s"
        " or (m.group_id is null and m.topic_id in (select topic_id from edge where service_id = %(number)s))"
        " or m.group_id in (select group_id from edge where kind = 2 and service_id = %(number)s"
        "   union all select group_id from group_hint where service_id = %(number)s)",
        service_id,
        window,
    )


def marks_within(window: Window) -> Marks:
    """Versions, settings, partitions, topics created again or cut, of everything. One statement."""
    return _marks("m.kind in (1, 2, 3, 4, 8) and %(number)s = 0", 0, window)


def config_history(topic_id: int) -> Marks:
    """Every change of a topic's settings. One statement."""
    ever = Window(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), live=False)
    return _marks("m.topic_id = %(number)s and m.kind = 4", topic_id, ever)


def _marks(condition: str, number: int, window: Window) -> Marks:
    parameters: dict[str, int | datetime] = {
        "number": number,
        "from": window.from_at,
        "to": window.to_at,
        "most": LIMIT + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT.format(condition=condition), parameters)
        rows = cursor.fetchall()
    return Marks(tuple(_mark(*row) for row in rows[:LIMIT]), len(rows) > LIMIT)


_STATEMENT = """
    select m.at, m.kind, coalesce(t.name, ''), coalesce(g.name, ''), coalesce(s.name, ''), coalesce(m.before, ''),
      coalesce(m.after, '')
    from change_mark m left join topic t on t.id = m.topic_id left join consumer_group g on g.id = m.group_id
    left join service s on s.id = m.service_id
    where m.at >= %(from)s and m.at < %(to)s and ({condition})
    order by m.at desc, m.kind limit %(most)s
"""


def _mark(at: datetime, number: int, topic: str, group: str, service: str, before: str, after: str) -> Mark:
    kind = KINDS.get(number, "other")
    match kind:
        case "version":
            return Mark(at, kind, service, f"{service} {after} seen first" + (f" (was {before})" if before else ""))
        case "again":
            return Mark(at, kind, topic, f"{topic} was created again")
        case "partitions":
            return Mark(at, kind, topic, f"{topic} has {after} partitions (had {before})")
        case "config":
            old, new = json.loads(before), json.loads(after)
            changes = tuple(Change(name, old.get(name), new[name]) for name in sorted(new))
            more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
            return Mark(at, kind, topic, f"{topic}: {_said(changes[0])}{more}", changes)
        case "rewind":
            back = _distance(json.loads(before), json.loads(after))
            return Mark(at, kind, group, f"{group} went back {back:,} on {topic}", on=topic)
        case "cut":
            on = "1 partition" if after == "1" else f"{int(after):,} partitions"
            return Mark(at, kind, topic, f"the end of {topic} fell by {int(before):,} offsets on {on}")
        case "rebalance":
            return Mark(at, kind, group, f"{group} rebalanced: {_members(before)} before, {_members(after)} after")
        case _:
            return Mark(at, kind, group or topic or service, f"{group} began to lose unread data of {topic}: {after}")


def _said(change: Change) -> str:
    return f"{change.name} {change.before or 'not set'} → {change.after or 'not set'}"


def _distance(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(before[partition] - after[partition] for partition in before)


def _members(text: str) -> str:
    return "1 member" if text == "1" else f"{text} members"
