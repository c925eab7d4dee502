"""One at a time: an advisory lock held by the connection that does the work, so that both are lost together."""

from enum import IntEnum

from django.db import connection


class Lead(IntEnum):
    """What there may be only one of, per database (the sampler: per cluster). First key of the advisory lock."""

    FOLDER = 0x57454601
    SAMPLER = 0x57454602


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
            cursor.execute("select pg_try_advisory_lock(%s, %s)", [int(self._lead), self._number])
            if cursor.fetchone()[0]:
                self._held_by = session
        return self._held_by is session

    def give_up(self) -> None:
        """Let somebody else have it."""
        if self._held_by is not None and self._held_by is connection.connection:
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", [int(self._lead), self._number])
        self._held_by = None
