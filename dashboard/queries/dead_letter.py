"""One dead letter: what its headers say, and what became of it."""

import json
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import connection

from collector.config.rules import standing
from collector.domain import stacks
from collector.domain.dead_letters import DeadLetter
from collector.domain.frames import readable
from collector.domain.letter_forms import parked_form
from collector.domain.masking import MASK
from collector.domain.records import Headers, Record
from dashboard.queries import hiding
from dashboard.queries.dead_letters import ROWS, LetterRow, row_of, veiled
from dashboard.queries.letter_attempts import Attempts, attempts

MOST_SAME_KEY = 1_000  # other letters are counted up to one more


@dataclass(frozen=True, slots=True)
class InOperation:
    """A retry that a letter is in: who asked for it, and when."""

    id: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Letter(LetterRow):
    """One letter with its stack and its attempts.

    `latest`: where it died last, when that is not the origin. `own_frames`: the application's lines of the stack,
    innermost first. `n_same_key`: other dead letters with this key, at most 1,001. `operation`: the one it is open in,
    and who asked for that when.
    `undecided`: it may have been sent, or gave no answer in time. `n_key_bytes`: None where it has no key, which is not
    the empty one. `same_event`: id and consumer group of letters of the same event, at most 10.
    """

    stack: str
    own_frames: tuple[str, ...]
    latest: str | None
    n_attempts: int | None
    size_bytes: int
    trace_id: str | None
    n_key_bytes: int | None
    same_event: tuple[tuple[int, str], ...]
    n_same_key: int
    operation: "InOperation | None"
    undecided: bool
    attempts: Attempts

    @property
    def key_filter(self) -> str:
        """The filter that finds letters with this key; "" where it cannot be written down."""
        return f'key:"{self.key}"' if self.key and not {'"', "*", MASK} & {*self.key, self.key} else ""


def letter(number: int) -> Letter | None:
    """One letter, or None. Four statements."""
    if not 0 < number < 2**63:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"{ROWS} where s.dead_letter_id = %s", [number])
        found = cursor.fetchone()
        if found is None:
            return None
        row = row_of(found)
        veil = hiding.letter_veils({number: (row.topic, row.origin_topic)}).get(number, hiding.OPEN)
        row = veiled(row, veil)
        cursor.execute(
            _FACTS,
            [MOST_SAME_KEY + 2, number],
        )
        same_event, key, value, headers, n_attempts, size_bytes, trace_id, *rest = cursor.fetchone()
        n_same_key, operation, undecided = rest
        said = _said(row, key, value, readable(headers))
        stack = veil.text(said.stack) or "" if said else ""
        return Letter(
            **{field.name: getattr(row, field.name) for field in fields(row)},
            stack=stack,
            own_frames=_own_frames(stack, row.exception_class),
            latest=_latest(said),
            n_attempts=n_attempts,
            size_bytes=size_bytes,
            trace_id=trace_id,
            n_key_bytes=None if key is None else len(key),
            same_event=tuple((number, name) for number, name in json.loads(same_event)),
            n_same_key=max(0, n_same_key),
            operation=_in_operation(operation),
            undecided=undecided,
            attempts=attempts(cursor, number, first_died_at=row.failed_at, died_of=row.exception_class),
        )


# Other letters of the event that this one was: it died in more groups than one.
_SAME_EVENT = (
    "(select coalesce(json_agg(json_build_array(o.id, coalesce(g.name, '')) order by o.id), '[]')::text"
    " from (select x.id, x.group_id from dead_letter x where x.origin_topic_id = d.origin_topic_id"
    "  and x.origin_partition = d.origin_partition and x.origin_offset = d.origin_offset and x.id <> d.id"
    "  order by x.id limit 10) o left join consumer_group g on g.id = o.group_id)"
)


_FACTS = (
    f"select {_SAME_EVENT}, b.key, b.value, b.headers,"  # noqa: S608  of constants
    " d.n_attempts, d.size_bytes, encode(uuid_send(d.trace_id), 'hex'),"
    " (select count(*) - 1 from (select 1 from dead_letter o where o.key_hash = d.key_hash limit %s) n),"
    " (select json_build_array(p.id, p.person_name, coalesce(p.confirmed_at, p.created_at))::text from retry_item i"
    "  join retry_operation p on p.id = i.operation_id where i.dead_letter_id = d.id and i.status in (0, 1, 2, 3)),"
    " exists (select 1 from retry_item i join retry_operation p on p.id = i.operation_id"
    "  where i.dead_letter_id = d.id and (i.status = 3 or (i.status = 2"
    "   and i.sent_at <= now() - make_interval(secs => p.wait_seconds))))"
    " from dead_letter d join dead_letter_body b on b.dead_letter_id = d.id where d.id = %s"
)


def _in_operation(said: str | None) -> InOperation | None:
    if said is None:
        return None
    number, by, at = json.loads(said)
    return InOperation(number, by, datetime.fromisoformat(at))


def _own_frames(stack: str, exception_class: str) -> tuple[str, ...]:
    section = stacks.of_exception(stacks.sections(stack), exception_class)
    return tuple(str(frame) for frame in section.own) if section else ()


def _said(row: LetterRow, key: bytes | None, value: bytes | None, headers: Headers | None) -> DeadLetter | None:
    """What the record says of its failure: read again from its bytes, for nothing is looked up by it."""
    if headers is None:
        return None
    record = Record(row.topic, row.partition, row.offset, None, 0, key, value, headers)
    return parked_form(record, standing.mapping_of(row.topic), standing.rules())


def _latest(found: DeadLetter | None) -> str | None:
    if found is None or found.latest == found.origin or found.latest.topic is None:
        return None
    parts = (found.latest.topic, found.latest.partition, found.latest.offset)
    return "/".join(str(part) for part in parts if part is not None)
