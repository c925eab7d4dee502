"""Django's connection as the collector's store uses it: short transactions, and a lost connection is noticed."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection


class StoreAway(Exception):
    """Postgres did not answer, or could not take this now. Check that it runs and has room; we try again."""


@contextmanager
def reaching() -> Iterator[None]:
    """Raise StoreAway for whatever Postgres may have got over by the next try: gone, full, locked, in recovery.

    The connection is dropped then, so that the next use makes a new one. Use it outside of transactions.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connection.close()
        raise StoreAway(str(error).strip().splitlines()[0] if str(error).strip() else "no answer") from error
