"""What the lists of topics, groups and services have in common: filter, order, and how many rows are shown."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.http import HttpRequest

from dashboard.queries.filters import MOST_CHARACTERS, Subject, parsed
from dashboard.templatetags.sorting import Key, ordered

ROWS, MOST_ROWS = 100, 1_000

Row = TypeVar("Row")


def listed(
    request: HttpRequest,
    rows: Iterable[Row],
    *,
    subject: Callable[[Row], Subject],
    columns: dict[str, Key[Row]],
    default_sort: str,
    presets: tuple[tuple[str, str], ...],
) -> dict[str, Any]:
    """Facts for the page: those of `rows` that `q` asks for, in the order of `sort`, the first `rows` of them.

    A filter that cannot be understood leaves all, and `problem` says why. `presets`: words, and the filter behind them.
    """
    q = request.GET.get("q", "")[:MOST_CHARACTERS].strip()
    wanted, problem = parsed(q)
    kept = [row for row in rows if wanted.matches(subject(row))]
    n_shown = _n_rows(request.GET.get("rows", ""))
    n_more = len(kept[:MOST_ROWS]) - n_shown
    return {
        "rows": ordered(kept, request.GET.get("sort") or default_sort, columns)[:n_shown],
        "n_matching": len(kept),
        "n_more": min(ROWS, max(0, n_more)),
        "n_next": n_shown + ROWS,
        "default_sort": default_sort,
        "q": q,
        "problem": problem,
        "presets": presets,
    }


def _n_rows(text: str) -> int:
    """100, or what is asked for: whole hundreds up to 1,000."""
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else ROWS
    return min(MOST_ROWS, max(ROWS, -(-asked // ROWS) * ROWS))
