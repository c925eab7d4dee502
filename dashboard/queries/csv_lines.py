"""Lines of CSV files, as RFC 4180 has them; no spreadsheet takes one of their texts for a formula."""

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def line(cells: Iterable[object]) -> str:
    """One line with its end. A text that would be a formula begins with '; numbers stay numbers."""
    out = io.StringIO()
    csv.writer(out).writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _safe(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
