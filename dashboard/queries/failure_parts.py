"""What a failure group is made of: groups merged into it, kinds of message, and what is being read again."""

from collections import Counter
from dataclasses import dataclass

from django.db import connection

from collector.domain.fingerprints import detail_of, normalised, short_class
from collector.domain.masking import MASK
from dashboard.queries import hiding

MOST_OTHERS = 100
MOST_READ = 2_000  # newest letters whose messages are told apart
MOST_KINDS = 20


@dataclass(frozen=True, slots=True)
class Other:
    """Another failure group of the same consumer group, or one that was merged into this one."""

    id: int
    title: str
    topic: str | None
    n_open: int
    note: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Kind:
    """Letters of one message, without what differs from event to event. `detail`: how a form names it."""

    said: str
    n: int

    @property
    def detail(self) -> str:
        """Of the message."""
        return detail_of(self.said).hex


@dataclass(frozen=True, slots=True)
class Kinds:
    """The most frequent first, among the newest `n_read` letters. `n_more` kinds are left out."""

    items: tuple[Kind, ...]
    n_read: int
    n_more: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Letters that are read again: of a topic, of a failure group, or all (`what` says it)."""

    what: str
    n_done: int
    n_all: int


def stands_for(number: int) -> int | None:
    """The group that a merged or emptied one leads to, or None. One statement."""
    if not 0 < number < 2**63:
        return None
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(merged_into, emptied_into) from failure_group where id = %s", [number])
        row = cursor.fetchone()
    return row[0] if row else None


def merged(number: int) -> tuple[Other, ...]:
    """Groups that were merged into this one. One statement."""
    return _others("g.merged_into = %(id)s", number)


def mergeable(number: int) -> tuple[Other, ...]:
    """Other failures of its consumer group, those with open letters first; at most 100. One statement."""
    return _others(
        "g.merged_into is null and g.emptied_into is null and g.id <> %(id)s"
        " and exists (select from failure_group x where x.id = %(id)s and x.cluster_id = g.cluster_id"
        "  and x.group_id is not distinct from g.group_id)",
        number,
    )


def _others(where: str, number: int) -> tuple[Other, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select g.id, g.title, g.exception_class, t.name, coalesce(n.n, 0), g.note, g.assignee from failure_group g"  # noqa: S608
            " left join topic t on t.id = g.topic_id left join lateral (select sum(n)::bigint n from failure_count f"
            "  where f.failure_group_id = g.id and f.status = 0) n on true"
            f" where {where} order by coalesce(n.n, 0) > 0 desc, g.last_at desc, g.id desc limit %(limit)s",
            {"id": number, "limit": MOST_OTHERS},
        )
        return tuple(
            Other(other, _shown(title, exception_class, topic), topic, n, note, assignee)
            for other, title, exception_class, topic, n, note, assignee in cursor.fetchall()
        )


def _shown(title: str, exception_class: str, topic: str | None) -> str:
    return (short_class(exception_class) or MASK) if hiding.aim_for(topic) else title


def kinds(number: int) -> Kinds:
    """What the newest letters of a group say; nothing of letters that rules hide parts of. Two statements at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select d.message, t.name, o.name from (select dead_letter_id from letter_state where failure_group_id = %s"
            "  order by dead_letter_id desc limit %s) s join dead_letter d on d.id = s.dead_letter_id"
            " join topic t on t.id = d.topic_id left join topic o on o.id = d.origin_topic_id",
            [number, MOST_READ],
        )
        rows = cursor.fetchall()
    hidden = {names for names in {row[1:] for row in rows} if hiding.aim_for(*names)}
    counts = Counter(normalised(message) for message, *names in rows if tuple(names) not in hidden)
    counts.pop("", None)
    common = counts.most_common(MOST_KINDS)
    return Kinds(tuple(Kind(*each) for each in common), len(rows), len(counts) - len(common))


def rereadings() -> tuple[Progress, ...]:
    """What is under way. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.why, t.name, r.failure_group_id, r.into_id, r.n_done, r.n_all from letter_rereading r"
            " left join topic t on t.id = r.topic_id where r.ended_at is null"
            " union all select 'fetch', t.name, null, null, f.n_done, f.n_all from letter_fetch f"
            " join topic t on t.id = f.topic_id where f.ended_at is null and t.deleted_at is null limit 20"
        )
        return tuple(
            Progress(_what(why, topic, group, into), done, n_all)
            for why, topic, group, into, done, n_all in cursor.fetchall()
        )


def _what(why: str, topic: str | None, group: int | None, into: int | None) -> str:
    if why == "merge":
        return f"Moving the letters of failure group {group} to {into}"
    if why == "fetch":
        return f"Reading {topic} from its first record as dead letters"
    if why == "mapping":
        return f"Reading the letters of {topic} again"
    return f"Sorting the letters of failure group {group}" if group else "Reading all letters by newer rules"
