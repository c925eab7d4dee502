"""One LISTEN connection per process: hints from Postgres, and a fresh look at everything after each gap."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import psycopg

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 10.0
_QUIET_SECONDS = 15.0  # then the connection is tried: a silent one may be dead


async def listen(
    connect: dict[str, Any],
    channel: str,
    *,
    hint: Callable[[str, int], None],
    again: Callable[[], None],
) -> None:
    """Run until cancelled. `connect`: psycopg's keywords. `hint`: subject and number. `again`: hints may be missing."""
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**connect, autocommit=True) as connection:
                await connection.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
                again()
                wait = FIRST_WAIT_SECONDS
                await _follow(connection, hint)
        except psycopg.Error as error:
            logger.warning("Listening for changes stopped (%s); again in %.1f s.", type(error).__name__, wait)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)


async def _follow(connection: psycopg.AsyncConnection[Any], hint: Callable[[str, int], None]) -> None:
    while True:
        async for notice in connection.notifies(timeout=_QUIET_SECONDS):
            subject, _, number = notice.payload.partition(" ")
            with contextlib.suppress(ValueError):  # not one of ours: anybody in the database may notify
                hint(subject, int(number or 0))
        await connection.execute("select 1")
