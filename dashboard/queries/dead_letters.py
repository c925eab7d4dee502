"""Lists of dead letters, and how many stand where."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from collector.domain.dead_letters import LetterStatus
from collector.domain.masking import MASK
from dashboard.queries import hiding
from dashboard.queries.hiding import Veil
from dashboard.queries.letter_filter import Condition

PAGE, MOST_LETTERS = 100, 1_000
STATUS_WORDS = {status: status.name.lower() for status in LetterStatus}
NO_ANSWER = "no_answer"  # sent, and the wait for an outcome is over
_STORED = {word: status for status, word in STATUS_WORDS.items()}
STATUSES = (*_STORED, NO_ANSWER)
_NO_ANSWER = -1


class BadStatus(ValueError):
    """A status is one of open, retry_requested, sent, no_answer, processed, passed, unknown, archived."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One line of the list. The origin is what headers claim, as far as this cluster has such a topic."""

    id: int
    status: str
    attempt: int
    cluster: str
    topic: str
    partition: int
    offset: int
    key: str | None
    failed_at: datetime
    expires_at: datetime | None
    group: str | None
    origin_topic: str | None
    origin_partition: int | None
    origin_offset: int | None
    exception_class: str
    message: str
    dialect: str
    failure_group: int
    failure_title: str

    @property
    def address(self) -> str:
        """orders.created.dlq/7/12"""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def origin(self) -> str | None:
        """orders.created/7/88123, or only the topic where no position is named."""
        if self.origin_topic is None or self.origin_partition is None or self.origin_offset is None:
            return self.origin_topic
        return f"{self.origin_topic}/{self.origin_partition}/{self.origin_offset}"

    @property
    def origin_url(self) -> str | None:
        """The page of the event it was, where a position is named."""
        if self.origin_topic is None or self.origin_partition is None or self.origin_offset is None:
            return None
        return reverse("event", args=[self.cluster, self.origin_topic, self.origin_partition, self.origin_offset])


@dataclass(frozen=True, slots=True)
class Letters:
    """A page of the list, newest first. `next` is the cursor of the page behind it."""

    items: tuple[LetterRow, ...]
    next: int | None
    truncated: bool


def state_counts(clusters: Collection[str] | None = None) -> dict[str, int]:
    """How many letters stand where, by the status's word; of `clusters` alone where that is not None. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"clusters": None if clusters is None else sorted(clusters)})
        counts = dict(cursor.fetchall())
    found = {word: int(counts.get(int(status), 0)) for status, word in STATUS_WORDS.items()}
    found[NO_ANSWER] = min(int(counts[_NO_ANSWER]), found["sent"])
    found["sent"] -= found[NO_ANSWER]
    return found


# What gave no answer is counted by operation: all that wait for one, without those sent within the wait.
_COUNTS = f"""
select status, sum(n)::bigint from failure_count where %(clusters)s::text[] is null or topic_id in
  (select t.id from topic t join cluster c on c.id = t.cluster_id where c.name = any(%(clusters)s::text[])) group by 1
union all select {_NO_ANSWER}, coalesce(sum(c.n - w.n), 0)::bigint
  from (select operation_id, sum(n) n from retry_count where status = 2 and n > 0 group by 1) c
  join retry_operation o on o.id = c.operation_id
  cross join lateral (select count(*) n from retry_item i where i.operation_id = o.id and i.status = 2
    and i.sent_at > now() - make_interval(secs => o.wait_seconds)) w
  where %(clusters)s::text[] is null
    or o.cluster_id in (select id from cluster where name = any(%(clusters)s::text[]))
"""  # noqa: S608  of a constant


def parked_letters(
    *,
    status: str | None = None,
    failure_group: int | None = None,
    filtered: Condition | None = None,
    after: int | None = None,
    limit: int = PAGE,
    oldest_first: bool = False,
) -> Letters:
    """The newest letters, of a status or a failure group, older than the cursor `after`; or the oldest, and newer.

    `filtered`: what a person typed. One statement. At most 1,000 at a time. Raises BadStatus.
    """
    limit = max(1, min(limit, MOST_LETTERS))
    said, values = asked_for(status, failure_group, filtered)
    if after is not None:
        said.append(f"s.dead_letter_id {'>' if oldest_first else '<'} %(after)s")
    where = f" where {' and '.join(said)}" if said else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{ROWS}{where} order by s.dead_letter_id{'' if oldest_first else ' desc'} limit %(limit)s",
            {**values, "after": after, "limit": limit + 1},
        )
        found = fit_to_see([row_of(row) for row in cursor.fetchall()])
    truncated = len(found) > limit
    items = tuple(found[:limit])
    return Letters(items, items[-1].id if truncated else None, truncated)


def asked_for(
    status: str | None, failure_group: int | None, filtered: Condition | None
) -> tuple[list[str], dict[str, Any]]:
    """Conditions on the rows of ROWS, and their parameters. Raises BadStatus.

    Only what is asked for stands in the statement: each shape has an index of its own.
    """
    if status is not None and status not in STATUSES:
        raise BadStatus(BadStatus.__doc__)
    said, values = list[str](), dict[str, Any]()
    if status is not None:
        said.append(stands(status))
    if failure_group is not None:
        said.append(f"s.failure_group_id = {STANDS_FOR}")
        values["group"] = failure_group
    if filtered and filtered.terms:
        said.append(f"({filtered.sql})")
        values |= filtered.parameters
    return said, values


def fit_to_see(rows: Sequence[LetterRow]) -> list[LetterRow]:
    """The rows without what rules mask in the letters. One statement, none where there is no rule."""
    veils = hiding.letter_veils({row.id: (row.topic, row.origin_topic) for row in rows})
    return [veiled(row, veils.get(row.id, hiding.OPEN)) for row in rows]


def veiled(row: LetterRow, veil: Veil) -> LetterRow:
    """The row without what the veil hides."""
    key = MASK if veil.aim.key and row.key else veil.text(row.key)
    return replace(row, key=key, message=veil.text(row.message) or "", failure_title=veil.text(row.failure_title) or "")


# A value, no condition that there is a row: that would be answered for all letters before the first is shown.
_SILENT = (
    "coalesce((select true from retry_item i join retry_operation p on p.id = i.operation_id"
    " where i.dead_letter_id = s.dead_letter_id and i.status = 2"
    " and i.sent_at <= now() - make_interval(secs => p.wait_seconds) limit 1), false)"
)
# By what was sent lately: of letters without an answer there may be a million, of which none is waited for.
_WAITED_FOR = (
    "s.dead_letter_id = any(array(select i.dead_letter_id from retry_operation p join retry_item i"
    " on i.operation_id = p.id and i.sent_at > now() - make_interval(secs => p.wait_seconds) where i.status = 2))"
)


def stands(status: str) -> str:
    """The condition that a letter stands at this one of STATUSES; "" for another word."""
    if status in {"sent", NO_ANSWER}:
        return f"s.status = 2 and {_SILENT if status == NO_ANSWER else _WAITED_FOR}"
    return f"s.status = {int(_STORED[status])}" if status in _STORED else ""


STANDS_FOR = "(select coalesce(merged_into, emptied_into, id) from failure_group where id = %(group)s)"
"""The group that a merged one leads to."""
LETTERS = (
    "letter_state s join dead_letter d on d.id = s.dead_letter_id"
    " join failure_group g on g.id = s.failure_group_id join topic t on t.id = d.topic_id"
    " join cluster c on c.id = t.cluster_id left join consumer_group cg on cg.id = d.group_id"
    " left join topic o on o.id = d.origin_topic_id"
)
ROWS = f"""
select d.id, case when s.status = 2 and {_SILENT} then {_NO_ANSWER} else s.status end, s.attempt, c.name, t.name,
  d.kafka_partition, d.kafka_offset, d.key_text, d.failed_at, d.expires_at, cg.name, o.name, d.origin_partition,
  d.origin_offset, d.exception_class, d.message, d.dialect, g.id, g.title from {LETTERS}
"""  # noqa: S608  of constants


def row_of(row: tuple[Any, ...]) -> LetterRow:
    """What a row of ROWS says."""
    return LetterRow(row[0], NO_ANSWER if row[1] == _NO_ANSWER else STATUS_WORDS[LetterStatus(row[1])], *row[2:])
