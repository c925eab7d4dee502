"""One at a time: an advisory lock held by the connection that does the work, so that both are lost together."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from django.db import connection
from django.db.backends.utils import CursorWrapper


class Lead(IntEnum):
    """What there may be only one of, per database (the sampler: per cluster). First key of the advisory lock."""

    FOLDER = 0x57454601
    SAMPLER = 0x57454602
    ENDING_LEAVES = 0x57454603
    RETRY = 0x57454604  # second key: the operation
    RETRY_PLACE = 0x57454605
    LOOKUP = 0x57454606
    SAMPLE_INDEXES = 0x57454607


class Leadership:
    """Asks for the lock until it is held. Who dies, or loses the connection, has lost it to whoever asks next."""

    def __init__(self, lead: Lead, number: int = 0) -> None:
        self._lead = lead
        self._number = number
        self._held_by: object = None

    def held(self) -> bool:
        """True when this connection holds the lock, taking it if it is free. Not inside a transaction."""
        connection.ensure_connection()
        session = connection.connection
        if session is self._held_by:
            return True
        with connection.cursor() as cursor:
            if _try(cursor, self._lead, self._number):
                self._held_by = session
        return self._held_by is session

    def give_up(self) -> None:
        """Let somebody else have it."""
        if self._held_by is not None and self._held_by is connection.connection:
            with connection.cursor() as cursor:
                _give_up(cursor, self._lead, self._number)
        self._held_by = None


@contextmanager
def locked(lead: Lead, numbers: Iterable[int] = (0,)) -> Iterator[bool]:
    """Hold the first of these that is free while the block runs; False where none is. Not inside a transaction."""
    with connection.cursor() as cursor:
        mine = next((number for number in numbers if _try(cursor, lead, number)), None)
    try:
        yield mine is not None
    finally:
        if mine is not None and connection.is_usable():
            with connection.cursor() as cursor:
                _give_up(cursor, lead, mine)


def _try(cursor: CursorWrapper, lead: Lead, number: int) -> bool:
    cursor.execute("select pg_try_advisory_lock(%s, %s)", [int(lead), number])
    return bool(cursor.fetchone()[0])


def _give_up(cursor: CursorWrapper, lead: Lead, number: int) -> None:
    cursor.execute("select pg_advisory_unlock(%s, %s)", [int(lead), number])
