"""Sortable columns: `sort=name` ascending, `sort=-name` descending, in the address."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Row = TypeVar("Row")
Key = Callable[[Row], Any]
WORST_FIRST = ("failing", "degraded", "unknown", "ok", "idle")


def badness(level: str) -> int:
    """A health level as a number to sort by: the worse, the higher."""
    return -WORST_FIRST.index(level)


def ordered(rows: Iterable[Row], sort: str, columns: dict[str, Key[Row]]) -> list[Row]:
    """Rows by the wanted column, missing values last in both directions; unknown columns leave the order."""
    key = columns.get(sort.removeprefix("-"))
    if key is None:
        return list(rows)
    known: list[Row] = []
    missing: list[Row] = []
    for row in rows:
        (missing if key(row) is None else known).append(row)
    return sorted(known, key=key, reverse=sort.startswith("-")) + missing
