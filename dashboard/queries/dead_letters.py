"""Dead letters: groups of failures, lists of letters, and one letter with what became of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from collector.domain import stacks
from collector.domain.dead_letters import LetterStatus
from collector.domain.dialects import read
from collector.domain.fingerprints import short_class
from collector.domain.frames import Malformed, unframed
from collector.domain.masking import MASK
from collector.domain.records import Headers, Record
from dashboard.queries import hiding
from dashboard.queries.hiding import Veil
from dashboard.queries.letter_attempts import Attempts, attempts
from dashboard.queries.letter_filter import Condition

MOST_GROUPS = 500
PAGE, MOST_LETTERS = 100, 1_000
MOST_SAME_KEY = 1_000  # other letters are counted up to one more
STATUS_WORDS = {status: status.name.lower() for status in LetterStatus}
STATUSES = {word: status for status, word in STATUS_WORDS.items()}
_OPEN = (LetterStatus.OPEN, LetterStatus.RETRY_REQUESTED, LetterStatus.SENT, LetterStatus.UNKNOWN)


class BadStatus(ValueError):
    """A status is one of open, retry_requested, sent, processed, passed, unknown, archived."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """All letters with one fingerprint. `n_open` wait for a person, `n_unresolved` also those under way."""

    id: int
    title: str
    exception_class: str
    group: str | None
    topic: str | None
    cluster: str | None
    first_at: datetime
    last_at: datetime
    n_open: int
    n_unresolved: int
    n_all: int
    n_keys: int


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


@dataclass(frozen=True, slots=True)
class Letter(LetterRow):
    """One letter with its stack and its attempts.

    `latest`: where it died last, when that is not the origin. `own_frames`: the application's lines of the stack,
    innermost first. `n_same_key`: other dead letters with this key, at most 1,001. `operation`: the one it is open in.
    `undecided`: it may have been sent, or gave no answer in time.
    """

    stack: str
    own_frames: tuple[str, ...]
    latest: str | None
    n_attempts: int | None
    size_bytes: int
    trace_id: str | None
    n_same_key: int
    operation: int | None
    undecided: bool
    attempts: Attempts

    @property
    def key_filter(self) -> str:
        """The filter that finds letters with this key; "" where it cannot be written down."""
        return f'key:"{self.key}"' if self.key and not {'"', "*", MASK} & {*self.key, self.key} else ""


@dataclass(frozen=True, slots=True)
class Body:
    """The letter's own bytes: only for those who may see payloads. `n_bytes`: of the whole value.

    `headers` is None where what was stored of them cannot be read: `raw_headers` is what is there.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    raw_headers: bytes | None = None


def failure_groups() -> tuple[FailureGroup, ...]:
    """The groups that wait for somebody first, then by the newest death; at most 500. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_GROUPS} where g.merged_into is null"
            " order by coalesce(n.open, 0) > 0 desc, g.last_at desc, g.id desc limit %(limit)s",
            {"open": list(_OPEN), "limit": MOST_GROUPS},
        )
        return tuple(_group(row) for row in cursor.fetchall())


def failure_groups_of(groups: Collection[int], *, limit: int) -> tuple[FailureGroup, ...]:
    """What failed in some consumer groups, what waits for somebody first, then the newest. One statement."""
    where = " where g.merged_into is null and g.group_id = any(%(groups)s)"
    order = " order by coalesce(n.open, 0) > 0 desc, g.last_at desc, g.id desc limit %(limit)s"
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS + where + order, {"open": list(_OPEN), "groups": list(groups), "limit": limit})
        return tuple(FailureGroup(*row) for row in cursor.fetchall())


def failure_group(number: int) -> FailureGroup | None:
    """One group, also one that the list has no room for, or None. One statement."""
    if not 0 < number < 2**63:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"{_GROUPS} where g.merged_into is null and g.id = %(id)s", {"open": list(_OPEN), "id": number})
        row = cursor.fetchone()
    return _group(row) if row else None


def _group(row: tuple[Any, ...]) -> FailureGroup:
    """A title may hold what one of its letters said: of masked topics it is the class alone."""
    found = FailureGroup(*row)
    if not hiding.aim_for(found.topic):
        return found
    return replace(found, title=short_class(found.exception_class) or MASK)


def state_counts() -> dict[str, int]:
    """How many letters stand where, by the status's word. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select status, sum(n)::bigint from failure_count group by 1")
        counts = dict(cursor.fetchall())
    return {word: counts.get(int(status), 0) for status, word in STATUS_WORDS.items()}


def parked_letters(
    *,
    status: str | None = None,
    failure_group: int | None = None,
    filtered: Condition | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> Letters:
    """The newest letters, of a status or a failure group, older than the cursor `after`. Raises BadStatus.

    `filtered`: what a person typed. One statement. At most 1,000 at a time.
    """
    if status is not None and status not in STATUSES:
        raise BadStatus(BadStatus.__doc__)
    limit = max(1, min(limit, MOST_LETTERS))
    wanted = {
        "s.status = %(status)s": None if status is None else int(STATUSES[status]),
        "s.failure_group_id = %(group)s": failure_group,
        "s.dead_letter_id < %(after)s": after,
    }
    # Only what is asked for stands in the statement: each shape has an index of its own.
    asked = [condition for condition, value in wanted.items() if value is not None]
    said = " and ".join([*asked, f"({filtered.sql})"] if filtered and filtered.terms else asked)
    where = f" where {said}" if said else ""
    values = dict(zip(("status", "group", "after"), wanted.values(), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_ROWS}{where} order by s.dead_letter_id desc limit %(limit)s",
            {**values, **(filtered.parameters if filtered else {}), "limit": limit + 1},
        )
        found = fit_to_see([_row(row) for row in cursor.fetchall()])
    truncated = len(found) > limit
    items = tuple(found[:limit])
    return Letters(items, items[-1].id if truncated else None, truncated)


def letter(number: int) -> Letter | None:
    """One letter, or None. Four statements."""
    if not 0 < number < 2**63:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"{_ROWS} where s.dead_letter_id = %s", [number])
        found = cursor.fetchone()
        if found is None:
            return None
        row = _row(found)
        veil = hiding.letter_veils({number: (row.topic, row.origin_topic)}).get(number, hiding.OPEN)
        row = _veiled(row, veil)
        cursor.execute(
            "select b.stack, b.headers, d.n_attempts, d.size_bytes, encode(uuid_send(d.trace_id), 'hex'),"
            " (select count(*) - 1 from (select 1 from dead_letter o where o.key_hash = d.key_hash limit %s) n),"
            " (select max(operation_id) from retry_item i where i.dead_letter_id = d.id and i.status in (0, 1, 2, 3)),"
            " exists (select 1 from retry_item i join retry_operation p on p.id = i.operation_id"
            "  where i.dead_letter_id = d.id and (i.status = 3 or (i.status = 2"
            "   and i.sent_at <= now() - make_interval(secs => p.wait_seconds))))"
            " from dead_letter d join dead_letter_body b on b.dead_letter_id = d.id where d.id = %s",
            [MOST_SAME_KEY + 2, number],
        )
        stack, headers, n_attempts, size_bytes, trace_id, n_same_key, operation, undecided = cursor.fetchone()
        stack = veil.text(stack) or ""
        return Letter(
            **{field.name: getattr(row, field.name) for field in fields(row)},
            stack=stack,
            own_frames=_own_frames(stack, row.exception_class),
            latest=_latest(row, _unframed(headers)),
            n_attempts=n_attempts,
            size_bytes=size_bytes,
            trace_id=trace_id,
            n_same_key=max(0, n_same_key),
            operation=operation,
            undecided=undecided,
            attempts=attempts(cursor, number, first_died_at=row.failed_at, died_of=row.exception_class),
        )


def letter_body(number: int) -> Body | None:
    """The bytes of one letter without what rules mask, or None. The caller has asked whether they may be seen.

    One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select b.key, b.value, b.headers, t.name, o.name from dead_letter_body b"
            " join dead_letter d on d.id = b.dead_letter_id join topic t on t.id = d.topic_id"
            " left join topic o on o.id = d.origin_topic_id where d.id = %s",
            [number],
        )
        found = cursor.fetchone()
    if found is None:
        return None
    key, value, headers, topic, origin = found
    veil = hiding.veil(hiding.aim_for(topic, origin), key=key, value=value, headers=headers)
    if not veil.aim:
        found_headers = _unframed(headers)
        raw = bytes(headers) if found_headers is None else None
        return Body(key, value, found_headers, len(value or b""), raw)
    seen = veil.seen or hiding.ALL_HIDDEN
    return Body(seen.key, seen.value, seen.headers, len(value or b""))


def fit_to_see(rows: Sequence[LetterRow]) -> list[LetterRow]:
    """The rows without what rules mask in the letters. One statement, none where there is no rule."""
    veils = hiding.letter_veils({row.id: (row.topic, row.origin_topic) for row in rows})
    return [_veiled(row, veils.get(row.id, hiding.OPEN)) for row in rows]


def _veiled(row: LetterRow, veil: Veil) -> LetterRow:
    key = MASK if veil.aim.key and row.key else veil.text(row.key)
    return replace(row, key=key, message=veil.text(row.message) or "", failure_title=veil.text(row.failure_title) or "")


_GROUPS = (
    "select g.id, g.title, g.exception_class, cg.name, t.name, c.name, g.first_at, g.last_at,"
    "  coalesce(n.open, 0), coalesce(n.unresolved, 0), coalesce(n.n, 0), g.n_keys from failure_group g"
    " left join consumer_group cg on cg.id = g.group_id left join topic t on t.id = g.topic_id"
    " left join cluster c on c.id = t.cluster_id left join lateral (select sum(n)::bigint n,"
    "   (sum(n) filter (where status = 0))::bigint open,"
    "   (sum(n) filter (where status = any(%(open)s)))::bigint unresolved"
    "   from failure_count f where f.failure_group_id = g.id) n on true"
)
LETTERS = (
    "letter_state s join dead_letter d on d.id = s.dead_letter_id"
    " join failure_group g on g.id = s.failure_group_id join topic t on t.id = d.topic_id"
    " join cluster c on c.id = t.cluster_id left join consumer_group cg on cg.id = d.group_id"
    " left join topic o on o.id = d.origin_topic_id"
)
_ROWS = (  # noqa: S608  of constants
    "select d.id, s.status, s.attempt, c.name, t.name, d.kafka_partition, d.kafka_offset, d.key_text, d.failed_at,"
    " d.expires_at, cg.name, o.name, d.origin_partition, d.origin_offset, d.exception_class, d.message, d.dialect,"
    " g.id, g.title from "
) + LETTERS


def _row(row: tuple[Any, ...]) -> LetterRow:
    return LetterRow(row[0], STATUS_WORDS[LetterStatus(row[1])], *row[2:])


def _own_frames(stack: str, exception_class: str) -> tuple[str, ...]:
    section = stacks.of_exception(stacks.sections(stack), exception_class)
    return tuple(str(frame) for frame in section.frames if frame.is_own) if section else ()


def _unframed(framed: bytes) -> Headers | None:
    try:
        return unframed(framed)
    except Malformed:
        return None


def _latest(row: LetterRow, headers: Headers | None) -> str | None:
    """Read again from the headers: it is shown, and nothing is looked up by it."""
    if headers is None:
        return None
    found = read(Record(row.topic, row.partition, row.offset, None, 0, None, None, headers))
    if found is None or found.latest == found.origin or found.latest.topic is None:
        return None
    parts = (found.latest.topic, found.latest.partition, found.latest.offset)
    return "/".join(str(part) for part in parts if part is not None)
