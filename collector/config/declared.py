"""The declaration that stands, in Postgres: read, compared with another one, replaced by it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from collector.changes import announce
from collector.config import stuck_limits
from collector.config.document import Document, read
from collector.domain.globs import matches
from collector.store import letter_fetches, rereadings

Body = Mapping[str, Any]
KIND_OF_LETTERS = "dead_letters"
_UNNAMED = ("taps", "permissions")  # kinds of table that have no name below them


@dataclass(frozen=True, slots=True)
class Change:
    """One table of the file that was added ("+"), changed ("~") or taken out ("-"), with the fields that differ."""

    sign: str
    table: str
    fields: tuple[tuple[str, Any, Any], ...]  # name, before, after; None where it was not there

    @property
    def lines(self) -> tuple[str, ...]:
        """As people read it. No value is a secret: secrets are references."""
        shown = [f"    {name}: {_shown(before)} → {_shown(after)}" for name, before, after in self.fields]
        return f"{self.sign} [{self.table}]", *(shown if self.sign == "~" else ())


class Broken(Exception):
    """The stored declaration is not understood: apply the settings file again with this version of Weir."""


def version() -> int:
    """Which declaration stands; 0 before the first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select version from declaration")
        return int(cursor.fetchone()[0])


def document() -> Document:
    """The declaration that stands, empty before the first. One statement. Raises Broken."""
    found, problems = read(body())
    if problems:
        raise Broken(f"{Broken.__doc__} ({problems[0].key}: {problems[0].sentence})")
    return found


def body() -> Body:
    """The declaration as it was written. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select kind, name, body::text from declared order by kind, name")
        found: dict[str, Any] = {}
        for kind, name, text in cursor.fetchall():
            if kind in _UNNAMED:
                found[kind] = json.loads(text)
            else:
                found.setdefault(kind, {})[name] = json.loads(text)
        return found


def difference(before: Body, after: Body) -> tuple[Change, ...]:
    """What would change, table by table."""
    old, new = _items(before), _items(after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        was, will = old.get(key), new.get(key)
        if was == will:
            continue
        sign = "+" if was is None else "-" if will is None else "~"
        names = sorted((was or {}).keys() | (will or {}).keys())
        fields = [(name, (was or {}).get(name), (will or {}).get(name)) for name in names]
        table = key[0] if not key[1] else f"{key[0]}.{key[1]}"
        changes.append(Change(sign, table, tuple(field for field in fields if field[1] != field[2])))
    return tuple(changes)


def replace(after: Body, *, by: str, now: datetime) -> tuple[Change, ...]:
    """Put `after` in the place of what stands, in the caller's transaction; what changed. `after` has been checked.

    The second of two at the same time waits and compares with what the first one wrote.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the change and its audit row are one transaction")
    with connection.cursor() as cursor:
        cursor.execute("select version from declaration for update")
        before = body()
        changes = difference(before, after)
        if not changes:
            return ()
        cursor.execute("delete from declared")
        for (kind, name), fields in _items(after).items():
            cursor.execute("insert into declared values (%s, %s, %s)", [kind, name, json.dumps(fields)])
        cursor.execute(
            "update declaration set version = version + 1, applied_by = %s, applied_at = %s returning version",
            [by, now],
        )
        number = cursor.fetchone()[0]
    if any(change.table.startswith("stuck.") for change in changes):
        stuck_limits.settle(read(after)[0].limits.values(), now=now, anew=True)
    _describe_again(before, after, changes, by=by, now=now)
    announce("settings", number)
    return changes


def _describe_again(before: Body, after: Body, changes: Sequence[Change], *, by: str, now: datetime) -> None:
    """Stored letters of topics whose description changed are read again."""
    names = [each.table.partition(".")[2] for each in changes if each.table.startswith(f"{KIND_OF_LETTERS}.")]
    tables = [side.get(KIND_OF_LETTERS, {}).get(name) for side in (before, after) for name in names]
    described = [[topics] if isinstance(topics := table["topics"], str) else topics for table in tables if table]
    if not described:
        return
    standing = [
        [topics] if isinstance(topics := table["topics"], str) else topics
        for table in after.get(KIND_OF_LETTERS, {}).values()
    ]
    with connection.cursor() as cursor:
        letter_fetches.ask(
            cursor, is_meant=lambda topic: any(matches(topic, globs) for globs in standing), by=by, now=now
        )
        for number, topic in rereadings.topics_with_letters(cursor):
            if any(matches(topic, globs) for globs in described):
                rereadings.ask(cursor, why="mapping", topic_id=number, by=by, now=now)


def _items(whole: Body) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for kind, held in whole.items():
        if kind in _UNNAMED:
            found[kind, ""] = held
        else:
            found |= {(kind, name): fields for name, fields in held.items()}
    return found


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
