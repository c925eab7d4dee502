"""What the lists of topics, groups and services have in common: filter, order, and how many rows are shown."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from math import isinf
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse

from dashboard.queries import wire
from dashboard.queries.changed import changed_things
from dashboard.queries.csv_lines import line
from dashboard.queries.filters import MOST_CHARACTERS, Subject, parsed
from dashboard.queries.window import Window
from dashboard.templatetags.sorting import Key, ordered

ROWS, MOST_ROWS = 100, 1_000

Row = TypeVar("Row")


def told_of_changes(
    subject: Callable[[Row, Collection[str]], Subject], request: HttpRequest, span: Window
) -> Callable[[Row], Subject]:
    """`subject` with the ids of what changed lately, where the filter of the list asks for it."""
    changed = changed_things(request.GET.get("q", ""), span)
    return lambda row: subject(row, changed)


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
    n_shown = rows_wanted(request)
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


def as_csv(
    request: HttpRequest,
    name: str,
    rows: Iterable[Row],
    *,
    subject: Callable[[Row], Subject],
    columns: dict[str, Key[Row]],
    default_sort: str,
    cells: Mapping[str, Key[Row]],
    truncated: bool,
) -> HttpResponse:
    """The rows of the page as a file, filtered and ordered like it, all of them: at most 1,000.

    `cells`: by head what stands in the column; an empty cell is unknown. A filter that cannot be understood is refused:
    a file with more than was asked for misleads. The last line of a file that is not whole says so.
    """
    wanted, problem = parsed(request.GET.get("q", "")[:MOST_CHARACTERS].strip())
    if problem:
        return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
    kept = [row for row in rows if wanted.matches(subject(row))]
    found = ordered(kept, request.GET.get("sort") or default_sort, columns)[:MOST_ROWS]
    cut = f"Cut: only the first {MOST_ROWS:,} by name were looked at. Narrow the filter." if truncated else ""
    return csv_of(name, found, cells, last=cut)


def csv_of(name: str, rows: Iterable[Row], cells: Mapping[str, Key[Row]], *, last: str = "") -> HttpResponse:
    """Rows as a file; `last` is a line below them."""
    lines = [line(cells), *(line(_cell(read(row)) for read in cells.values()) for row in rows)]
    lines += [line([last])] if last else []
    return HttpResponse(
        "".join(lines),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "never" if isinf(value) else f"{value:.6g}"
    if isinstance(value, datetime):
        return wire.iso(value)
    return " ".join(value) if isinstance(value, tuple) else value


def rows_wanted(request: HttpRequest) -> int:
    """How many rows `rows` asks for: 100, or whole hundreds up to 1,000."""
    text = request.GET.get("rows", "")
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else ROWS
    return min(MOST_ROWS, max(ROWS, -(-asked // ROWS) * ROWS))
