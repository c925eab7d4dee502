"""The audit log, newest first: who did, saw, sent, changed or was refused what."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from collector.domain.texts import storable
from dashboard.queries import wire
from dashboard.queries.csv_lines import line

LIMIT = 100
MOST_READ = 200_000  # entries that are looked through for a filter, of each page
MOST_EXPORTED = 10_000
MOST_TERMS, MOST_TEXT = 10, 200
RESULTS = ("done", "refused", "failed")
_NEWEST = 2**63 - 1
_TOKEN = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"|(\S+))')
_COLUMNS = {"who": "person_name", "action": "action", "object": "object", "reason": "reason", "address": "address"}
FIELDS = (*(f"{name}:" for name in _COLUMNS), "result:")
_FIRST = "(select coalesce(min(id), 0) from audit_entry)"
_LINKS = {"retry": "retry", "dead letter": "dead_letter", "failure group": "failure_group"}
_OBJECT = re.compile(rf"({'|'.join(_LINKS)}) (\d{{1,18}})", re.ASCII)


class BadFilter(ValueError):
    """The text is no filter of the log; the message says which term, and what would be one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: SQL over their columns, and its parameters. All of them where there are no terms."""

    sql: str = "true"
    parameters: dict[str, Any] = field(default_factory=dict)
    terms: tuple[str, ...] = ()


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One deed, done, refused or failed."""

    id: int
    at: datetime
    person_name: str
    action: str
    object: str
    result: str
    reason: str
    address: str
    facts: dict[str, Any]

    @property
    def url(self) -> str:
        """The page of what it was done to; "" where that has none, or where several were."""
        found = _OBJECT.fullmatch(self.object)
        return reverse(_LINKS[found[1]], args=[int(found[2])]) if found else ""


@dataclass(frozen=True, slots=True)
class AuditLog:
    """A page of the log; `before` is the cursor of the next one, None at the end.

    `is_bounded`: it ends where as many entries were looked through as are for one page.
    """

    items: tuple[AuditRow, ...]
    before: int | None
    is_bounded: bool = False


def wanted(text: str) -> Wanted:
    """What a person typed: words anywhere, `who:olga` `action:retry` `result:refused` `object:` `reason:` `address:`,
    `-x` not. Raises BadFilter.
    """
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    terms: list[str] = []
    for found in _TOKEN.finditer(storable(text)[:MOST_TEXT].strip()):
        negated, name, quoted, word = found.groups()
        terms.append(found[0])
        if len(terms) > MOST_TERMS:
            raise BadFilter(f"At most {MOST_TERMS} terms.")
        key = f"f{len(terms)}"
        said = quoted if quoted is not None else word
        parts.append(f"{'not ' if negated else ''}({_term(found[0], name or '', said, key)})")
        parameters[key] = said if name == "result" else f"%{_literal(said)}%"
    return Wanted(" and ".join(parts) or "true", parameters, tuple(terms))


def audit_log(*, of_person: int | None, before: int | None = None, filtered: Wanted = EVERYTHING) -> AuditLog:
    """At most 100 entries older than `before`; `of_person` None means everybody's. One statement."""
    rows, further = _rows(of_person, _NEWEST if before is None else before, filtered, LIMIT + 1)
    if len(rows) > LIMIT:
        return AuditLog(rows[:LIMIT], rows[LIMIT - 1].id)
    return AuditLog(rows, further, is_bounded=further is not None)


def exported(*, of_person: int | None, filtered: Wanted) -> Iterator[str]:
    """The newest 10,000 that fit, as lines of CSV with a head; the last line of a file that is not whole says so.

    One statement.
    """
    yield line(("id", "at", "who", "action", "object", "result", "reason", "address", "facts"))
    rows, further = _rows(of_person, _NEWEST, filtered, MOST_EXPORTED + 1)
    for row in rows[:MOST_EXPORTED]:
        said = (row.person_name, row.action, row.object, row.result, row.reason, row.address)
        yield line((row.id, wire.iso(row.at), *said, json.dumps(row.facts, ensure_ascii=False) if row.facts else ""))
    if len(rows) > MOST_EXPORTED:
        yield line([f"Cut after {MOST_EXPORTED:,} entries; there are more."])
    elif further is not None:
        yield line([f"Cut after the newest {MOST_READ:,} entries were looked through; there may be more."])


def _rows(of_person: int | None, before: int, filtered: Wanted, limit: int) -> tuple[tuple[AuditRow, ...], int | None]:
    """Newest first, and the id from which on all were looked at; None where older ones are none."""
    is_own = "" if of_person is None else " and person_id = %(person)s"
    newest = "(select least(%(before)s - 1, coalesce(max(id), 0)) from audit_entry)"
    floor = f"greatest({_FIRST}, {newest} - {MOST_READ - 1})" if filtered.terms else _FIRST
    with connection.cursor() as cursor:
        cursor.execute(
            f"with floor as materialized (select {floor} id)"  # noqa: S608  of constants
            f" select case when f.id > {_FIRST} then f.id end, e.* from floor f"
            " left join lateral (select id, at, person_name, action, object, result,"
            f" reason, address, facts from audit_entry where id < %(before)s and id >= f.id{is_own}"
            f" and {filtered.sql} order by id desc limit %(limit)s) e on true order by e.id desc",
            {**filtered.parameters, "before": before, "limit": limit, "person": of_person},
        )
        found = cursor.fetchall()
    rows = tuple(AuditRow(*(*row[1:-1], _object(row[-1]))) for row in found if row[1] is not None)
    return rows, found[0][0]


def _term(term: str, name: str, said: str, key: str) -> str:
    if name == "result":
        if said not in RESULTS:
            raise BadFilter(f"`{term}` is one of {', '.join(RESULTS)}.")
        return f"result = %({key})s"
    if name and name not in _COLUMNS:
        raise BadFilter(f"`{term}` is no field of the log. There are {', '.join(FIELDS)} and words of any of them.")
    columns = [_COLUMNS[name]] if name else list(_COLUMNS.values())
    return " or ".join(f"{column} ilike %({key})s" for column in columns)


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - Django hands jsonb on as text
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)
