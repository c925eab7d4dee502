"""Puts the live parts of one process together: hub, listener, sockets, and what they say on Health."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from channels.routing import URLRouter
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.urls import re_path

from collector import telemetry
from collector.changes import CHANNEL
from dashboard import addresses
from dashboard.live import hub, passes
from dashboard.live.listener import listen
from dashboard.live.socket import Door, Receive, Send, Sockets

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
Say = Callable[[str, dict[str, object]], None]
"""Writes a sentence and numbers to Health; called in a thread."""


class Live:
    """One per web process. `application` is the ASGI callable for sockets."""

    def __init__(self, *, origins: frozenset[str], sockets_per_person: int, cookie: str) -> None:
        self._hub = hub.Hub(hub.read)
        self._sockets = Sockets(self._hub, Door(origins, sockets_per_person, cookie, passes.owners))
        routes: list[tuple[str, Any]] = [("live/$", self._sockets), ("", _nowhere)]
        self.application: Any = URLRouter([re_path(f"^{start}", to) for start, to in routes])
        self._jobs: list[asyncio.Task[None]] = []
        telemetry.observe(
            "gauge", "weir.web.sockets", lambda: self._hub.n_readers, unit="{socket}", description="Open pages"
        )

    def start(self, say: Say) -> None:
        """Listen, watch and report from now on. Called on the event loop, once."""
        jobs = (self._listen(), self._sockets.watch(), self._report(say))
        self._jobs = [asyncio.ensure_future(job) for job in jobs]

    async def _listen(self) -> None:
        await listen(_connection(), CHANNEL, hint=self._hint, again=self._again)

    def _hint(self, subject: str, number: int) -> None:
        if subject == "access":
            self._sockets.check_again(number)
        else:
            self._hub.wake(subject)

    def _again(self) -> None:
        """Hints may have been missed: of changed rights, too."""
        self._hub.wake_all()
        self._sockets.check_again(0)

    async def _report(self, say: Say) -> None:
        while True:
            readers, streams = self._hub.n_readers, self._hub.n_streams
            pages = "1 page is" if readers == 1 else f"{readers} pages are"
            kept = "1 stream is" if streams == 1 else f"{streams} streams are"
            sentence = f"{pages} connected; {kept} kept current."
            try:
                await asyncio.to_thread(_said, say, sentence, {"n_sockets": readers, "n_streams": streams})
            except DatabaseError as error:
                logger.warning("Health was not told (%s).", type(error).__name__)
            await asyncio.sleep(REPORT_SECONDS)


def build() -> Live:
    """From the settings."""
    return Live(
        origins=addresses.own_origins(settings.WEIR_PUBLIC_URL, settings.WEIR_HTTP_BIND, settings.WEIR_HTTP_PORT),
        sockets_per_person=settings.WEIR_SOCKETS_PER_PERSON,
        cookie=settings.SESSION_COOKIE_NAME,
    )


async def _nowhere(_scope: object, receive: Receive, send: Send) -> None:
    """There is one address for sockets; all others are refused."""
    await receive()
    await send({"type": "websocket.close", "code": 4004})


def _said(say: Say, sentence: str, numbers: dict[str, object]) -> None:
    try:
        say(sentence, numbers)
    finally:
        connections.close_all()


def _connection() -> dict[str, Any]:
    """psycopg's keywords for the listener: the default database, no statement_timeout, a dead peer noticed."""
    wanted = {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"}
    found = {key: value for key, value in connection.get_connection_params().items() if key in wanted and value}
    return {**found, "application_name": "weir-live", "keepalives_idle": 15, "keepalives_interval": 5}
