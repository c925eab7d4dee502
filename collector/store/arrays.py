"""Arrays of very many values, as Postgres reads them, for a parameter that the statement casts.

psycopg asks of each element of a list whether it must be quoted, which takes a second for 600,000 of them.
"""

from collections.abc import Iterable
from datetime import datetime


def numbers(values: Iterable[int]) -> str:
    """None of which is missing."""
    return f"{{{','.join(map(str, map(int, values)))}}}"


def known(values: Iterable[float | None]) -> str:
    """Numbers or truths; None is null."""
    return f"{{{','.join(['null' if value is None else str(value) for value in values])}}}"


def moments(values: Iterable[datetime | None]) -> str:
    """With their zones; None is null."""
    return f"{{{','.join(['null' if value is None else value.isoformat() for value in values])}}}"


def words(values: Iterable[str]) -> str:
    """Of Weir's own, which hold neither quotes nor backslashes."""
    listed = ",".join([f'"{value}"' for value in values])
    return f"{{{listed}}}"
