"""Get-or-create of dictionary rows: select, insert what is missing, select again; each statement commits by itself.

Inside the saving transaction a second collector would wait for our whole COPY on the uncommitted key, and a rollback
would leave wrong ids in the cache. "On conflict" without the select would use up an identity value per existing row.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from collector.store.guard import Guard, Kind

Key = tuple[Any, ...]  # the unique columns' values, in the order of the dictionary's columns
OTHER = 0  # the row "(other)", seeded in every dictionary


@dataclass(frozen=True)
class Shape:
    """One dictionary table: its key columns with their types, and which rows count as living."""

    kind: Kind
    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    living: str = "true"
    extra: tuple[tuple[str, str], ...] = ()  # further columns to insert, with their types


class Dictionary:
    """Ids of keys, cached in this process. Rows that may be deleted are looked up anew each day (Names.begin)."""

    def __init__(self, shape: Shape, guard: Guard) -> None:
        self._shape = shape
        self._guard = guard
        self._ids: dict[Key, int] = {}
        self._select, self._insert = _statements(shape)

    def ids(
        self,
        owners: Mapping[Key, int],
        *,
        fold: Callable[[Key], Key],
        refused: "Refused",
        extra: Callable[[Key], tuple[object, ...]] = lambda _: (),
    ) -> dict[Key, int]:
        """Id of every key in `owners` (key -> who is charged for a new one); 0 for what the guard folded away."""
        found = {key: self._ids[key] for key in owners if key in self._ids}
        if len(found) == len(owners):
            return found
        unknown = [key for key in owners if key not in found]
        found |= self._known(unknown)
        admitted, aliases = self._admit({key: owners[key] for key in unknown if key not in found}, fold)
        if admitted:
            self._make(admitted, extra)
            found |= self._known(admitted)
        for key, alias in aliases.items():
            found[key] = self._ids.get(alias, OTHER)
            refused.note(self._shape.kind, owners[key], key)
        return found

    def forget(self) -> None:
        """Read the rows again when next asked for."""
        self._ids.clear()

    def _admit(self, new: Mapping[Key, int], fold: Callable[[Key], Key]) -> tuple[list[Key], dict[Key, Key]]:
        """Keys to insert, and for keys over the limit the folded key that stands for them."""
        admitted: list[Key] = []
        aliases: dict[Key, Key] = {}
        for key, owner in new.items():
            if self._guard.admits(self._shape.kind, owner):
                admitted.append(key)
            else:
                aliases[key] = fold(key)
        if aliases:
            folded = {alias: new[key] for key, alias in aliases.items()}
            known = self._known([alias for alias in folded if alias not in self._ids]) | self._ids
            for alias, owner in folded.items():
                wanted = alias not in known and alias not in admitted
                if wanted and self._guard.admits(self._shape.kind, owner, is_folded=True):
                    admitted.append(alias)
        return admitted, aliases

    def _known(self, keys: Collection[Key]) -> dict[Key, int]:
        if not keys:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(self._select, _columns(keys, len(self._shape.columns)))
            found = {tuple(row[1:]): row[0] for row in cursor.fetchall()}
        self._ids |= found
        return found

    def _make(self, keys: list[Key], extra: Callable[[Key], tuple[object, ...]]) -> None:
        ordered = sorted(keys, key=_order)
        rows = [(*key, *extra(key)) for key in ordered]
        with connection.cursor() as cursor:
            cursor.execute(self._insert, _columns(rows, len(self._shape.columns) + len(self._shape.extra)))


class Refused:
    """Names that were folded in one batch, to be counted in folded_name."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Kind, int]] = Counter()
        self._examples: dict[tuple[Kind, int], str] = {}
        self._keys: set[tuple[Kind, Key]] = set()

    def note(self, kind: Kind, owner: int, key: Key) -> None:
        """One more name of this owner did not become a row of its own."""
        self._keys.add((kind, key))
        self._counts[kind, owner] += 1
        self._examples.setdefault((kind, owner), str(key)[:200])

    def any_of(self, *names: tuple[Kind, Key]) -> bool:
        """Whether one of these was folded."""
        return bool(self._keys) and not self._keys.isdisjoint(names)

    def rows(self) -> list[tuple[int, int, str, int]]:
        """(kind, owner, example, count), sorted, so that two collectors never wait for each other in a circle."""
        return [(int(k), owner, self._examples[k, owner], n) for (k, owner), n in sorted(self._counts.items())]


def _statements(shape: Shape) -> tuple[sql.Composed, sql.Composed]:
    names = [sql.Identifier(column) for column in shape.columns]
    arrays = [sql.SQL("%s::{}[]").format(sql.SQL(kind)) for kind in shape.types]
    same = [_same(column, nullable=column in shape.nullable) for column in shape.columns]
    select = sql.SQL("select t.id, {} from {} t join unnest({}) k({}) on {} where {}").format(
        sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in names),
        sql.Identifier(shape.table),
        sql.SQL(", ").join(arrays),
        sql.SQL(", ").join(names),
        sql.SQL(" and ").join(same),
        sql.SQL(shape.living),
    )
    more = [sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in shape.extra]
    insert = sql.SQL("insert into {} ({}) select * from unnest({}) on conflict do nothing").format(
        sql.Identifier(shape.table),
        sql.SQL(", ").join([*names, *(sql.Identifier(column) for column, _ in shape.extra)]),
        sql.SQL(", ").join([*arrays, *more]),
    )
    return select, insert


def _same(column: str, *, nullable: bool) -> sql.Composed:
    if nullable:  # "is not distinct from" can use neither index nor hash
        return sql.SQL("coalesce(t.{0}, -1) = coalesce(k.{0}, -1)").format(sql.Identifier(column))
    return sql.SQL("t.{0} = k.{0}").format(sql.Identifier(column))


def _columns(rows: Collection[tuple[Any, ...]], width: int) -> list[list[object]]:
    return [[row[index] for row in rows] for index in range(width)]


def _order(key: Key) -> tuple[tuple[bool, object], ...]:
    return tuple((part is not None, part) for part in key)
