"""One dead letter: what its headers say, and what became of it."""

from dataclasses import dataclass, fields

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
            "select b.key, b.value, b.headers, d.n_attempts, d.size_bytes, encode(uuid_send(d.trace_id), 'hex'),"
            " (select count(*) - 1 from (select 1 from dead_letter o where o.key_hash = d.key_hash limit %s) n),"
            " (select max(operation_id) from retry_item i where i.dead_letter_id = d.id and i.status in (0, 1, 2, 3)),"
            " exists (select 1 from retry_item i join retry_operation p on p.id = i.operation_id"
            "  where i.dead_letter_id = d.id and (i.status = 3 or (i.status = 2"
            "   and i.sent_at <= now() - make_interval(secs => p.wait_seconds))))"
            " from dead_letter d join dead_letter_body b on b.dead_letter_id = d.id where d.id = %s",
            [MOST_SAME_KEY + 2, number],
        )
        key, value, headers, n_attempts, size_bytes, trace_id, n_same_key, operation, undecided = cursor.fetchone()
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
            n_same_key=max(0, n_same_key),
            operation=operation,
            undecided=undecided,
            attempts=attempts(cursor, number, first_died_at=row.failed_at, died_of=row.exception_class),
        )


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
