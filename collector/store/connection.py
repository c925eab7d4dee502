"""Django's connection as the collector's store uses it: short transactions, and a lost connection is noticed."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, DataError, InterfaceError, InternalError, OperationalError, connection


class StoreAway(Exception):
    """Postgres did not answer, or could not take this now. Check that it runs and has room; we try again."""


# Read-only (a standby after a fail-over, a disk that is nearly full), and ended by Postgres for having waited too long.
_PASSING = frozenset({"25006", "25P03", "25P04"})
_BEYOND_LIMITS = "54"  # class: "program limit exceeded", as an index entry of more than 2,700 bytes


def is_away(error: DatabaseError | InterfaceError) -> bool:
    """Whether Postgres may have got over this by the next try: gone, full, locked, in recovery, read-only."""
    code = str(getattr(error.__cause__, "sqlstate", None) or "")
    if code.startswith(_BEYOND_LIMITS):
        return False
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, InternalError) and code in _PASSING
    )


@contextmanager
def reaching() -> Iterator[None]:
    """Raise StoreAway for whatever `is_away` says so of, DataError for what is beyond a limit of Postgres'.

    The connection is dropped then, so that the next use makes a new one. Use it outside of transactions.
    """
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        if not is_away(error):
            if isinstance(error, OperationalError):
                raise DataError("beyond a limit of Postgres") from error
            raise
        connection.close()
        raise StoreAway(str(error).strip().splitlines()[0] if str(error).strip() else "no answer") from error


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """Statements of this connection may take so long meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('statement_timeout'), set_config('statement_timeout', %s, false)", [f"{seconds}s"]
        )
        before = cursor.fetchone()[0]
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("select set_config('statement_timeout', %s, false)", [before])


def is_out_of_time(error: OperationalError) -> bool:
    """Whether a statement was cancelled, as its `statement_timeout` does."""
    return getattr(error.__cause__, "sqlstate", "") == "57014"
