"""Hints that other processes sent, heard on the connection that this thread works with anyway."""

from typing import TYPE_CHECKING

from django.db import connection
from psycopg import sql

from collector.changes import CHANNEL, Subject

if TYPE_CHECKING:
    from psycopg import Notify


class Listener:
    """What was announced since it was last asked for. One per thread."""

    def __init__(self) -> None:
        self._listening_on: object = None
        self._heard: set[str] = set()

    def heard(self, subject: Subject) -> bool:
        """True when `subject` was announced, or may have been: the connection is a new one."""
        connection.ensure_connection()
        raw = connection.connection
        if raw is not self._listening_on:
            raw.add_notify_handler(self._hear)  # called whenever this connection reads an answer
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("listen {}").format(sql.Identifier(CHANNEL)))
            self._listening_on = raw
            return True
        if subject in self._heard:
            self._heard.discard(subject)
            return True
        return False

    def asked(self, subject: Subject) -> bool:
        """The same, for who has had no answer of the database since it was last asked for. One statement."""
        is_new = self.heard(subject)
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        return self.heard(subject) or is_new

    def _hear(self, notice: "Notify") -> None:
        self._heard.add(notice.payload.partition(" ")[0])
