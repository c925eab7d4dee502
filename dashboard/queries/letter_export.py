"""Dead letters as lines of a file: CSV without payloads, or JSON lines with what may be seen of them."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from collector.domain.texts import storable
from dashboard.queries import wire
from dashboard.queries.csv_lines import line
from dashboard.queries.dead_letters import LetterRow, parked_letters
from dashboard.queries.letter_bodies import Body, letter_bodies
from dashboard.queries.letter_filter import Condition

MOST_LETTERS = 10_000
MOST_BYTES = 100_000_000  # of the file: a value may have a megabyte
MOST_VALUE = 64_000  # bytes of a value that are written
_PAGE = 200
_COLUMNS = (
    "id", "status", "attempt", "cluster", "topic", "partition", "offset", "key", "failed_at", "expires_at", "group",
    "origin_topic", "origin_partition", "origin_offset", "exception_class", "message", "dialect", "failure_group",
)  # fmt: skip
Lines = Callable[[Sequence[LetterRow]], Iterator[str]]


def exported(
    lines: Lines, *, status: str | None, failure_group: int | None, filtered: Condition, cut: Callable[[str], str]
) -> Iterator[str]:
    """Pieces of the file, the newest letters first, until a limit is reached: `cut` writes the line that says so.

    One statement a page of 200 letters, and those that `lines` needs.
    """
    after: int | None = None
    n_letters, n_bytes = 0, 0
    while True:
        found = parked_letters(status=status, failure_group=failure_group, filtered=filtered, after=after, limit=_PAGE)
        for written in lines(found.items):
            if n_letters >= MOST_LETTERS or n_bytes > MOST_BYTES:
                yield cut(f"Cut after {n_letters:,} dead letters; there are more.")
                return
            n_letters, n_bytes = n_letters + 1, n_bytes + len(written.encode())
            yield written
        after = found.next
        if after is None:
            return


def head() -> str:
    """The first line of a CSV file."""
    return line(_COLUMNS)


def as_csv(rows: Sequence[LetterRow]) -> Iterator[str]:
    """A line a letter, as RFC 4180 has it. A text that a spreadsheet would take for a formula begins with '."""
    for row in rows:
        yield line(_facts(row).values())


def csv_cut(sentence: str) -> str:
    """The last line of a CSV file that is not whole: its first column is no id."""
    return line([sentence])


def json_cut(sentence: str) -> str:
    """The last line of a file of JSON lines that is not whole."""
    return json.dumps({"cut": sentence}) + "\n"


def as_json(rows: Sequence[LetterRow]) -> Iterator[str]:
    """A JSON object a letter, without its payload."""
    for row in rows:
        yield json.dumps(_facts(row), ensure_ascii=False) + "\n"


def as_json_with_payloads(rows: Sequence[LetterRow]) -> Iterator[str]:
    """A JSON object a letter, with value and headers as far as rules leave them to be seen. One statement."""
    bodies = letter_bodies([row.id for row in rows])
    for row in rows:
        shown = _shown(bodies[row.id]) if row.id in bodies else {}
        yield json.dumps({**_facts(row), **shown}, ensure_ascii=False) + "\n"


def _facts(row: LetterRow) -> dict[str, Any]:
    named = {name: getattr(row, name) for name in _COLUMNS}
    return {**named, "failed_at": wire.iso(row.failed_at), "expires_at": wire.iso(row.expires_at)}


def _shown(body: Body) -> dict[str, Any]:
    value, headers = body.value, body.headers or ()
    return {
        "value": None if value is None else _text(value[:MOST_VALUE]),
        "value_bytes": body.n_bytes,
        "value_is_cut": len(value or b"") > MOST_VALUE,
        "headers": [[storable(name), None if held is None else _text(held)] for name, held in headers],
    }


def _text(raw: bytes) -> str | dict[str, str]:
    """The text, or the bytes in base64."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
