"""The live socket, `/live/`: a plain ASGI callable (docs/security.md S12, S15, S20, S29)."""

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import Error as DatabaseError
from django.http import parse_cookie

from dashboard.live import streams
from dashboard.live.deltas import Message
from dashboard.live.frames import WRITE
from dashboard.live.hub import Hub, Stream
from dashboard.live.outbox import Bell, Outbox
from dashboard.live.passes import Owners, Turnstile

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Write = Callable[[Message], None]
"""Puts a frame on the connection, now."""
LookAt = Callable[[frozenset[str], frozenset[str]], bool]
"""Whether a person's page may look at these streams (the second) instead of those (the first)."""

logger = logging.getLogger(__name__)

MOST_SOCKETS = 3000
MOST_STREAMS = 8
MOST_STREAMS_A_PERSON = 16
"""All of a person's pages together look at: streams are few (dashboard.live.hub), and one person must not take all."""
LARGEST_TEXT = 4096
MESSAGES_A_SECOND = 10
ACKNOWLEDGE_SECONDS = 30.0
RECHECK_SECONDS = 30.0
TOO_BUSY, TOO_LONG, SILENT, NO_SENSE, ENDED = 4008, 4009, 4013, 4007, 4001
_TICK_SECONDS = 5.0


class Closed(Exception):
    """This socket ends now, with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(frozen=True, slots=True)
class Door:
    """Whom the sockets of this process let in: pages of `origins`, so many of a person, with a session in `cookie`."""

    origins: frozenset[str]
    per_person: int
    cookie: str
    owners: Owners


class Sockets:
    """The ASGI application: one Socket for each connection that may come in."""

    def __init__(self, hub: Hub, door: Door) -> None:
        self._hub, self._door = hub, door
        self._turnstile = Turnstile(door.owners)
        self._per_person: Counter[int] = Counter()
        self._open: dict[Socket, int] = {}
        self._looked_at: dict[int, Counter[str]] = {}  # streams by person
        self._hurry = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One connection, from handshake to end. Its permission: VIEW, asked again every 30 seconds."""
        await receive()
        key = self._session_of(scope)
        owner = await self._owner(key) if key else None
        if key is None or owner is None or not self._has_room(owner):
            await send({"type": "websocket.close", "code": ENDED})
            return
        socket = Socket(self._hub, send, scope["extensions"][WRITE], key, partial(self._look_at, owner))
        self._open[socket] = owner
        self._per_person[owner] += 1
        try:
            await send({"type": "websocket.accept"})
            await socket.run(receive)
        finally:
            del self._open[socket]
            self._per_person[owner] -= 1
            self._look_at(owner, socket.wanted, frozenset())
            if not self._per_person[owner]:
                del self._per_person[owner]
                self._looked_at.pop(owner, None)

    def _look_at(self, owner: int, before: frozenset[str], names: frozenset[str]) -> bool:
        """A page of this person looks at `names` instead of `before`. False, and nothing changes: too many."""
        others = self._looked_at.get(owner, Counter[str]()) - Counter(before)
        if len(others.keys() | names) > MOST_STREAMS_A_PERSON:
            return False
        self._looked_at[owner] = others + Counter(names)
        return True

    def check_again(self, person_id: int) -> None:
        """Somebody's rights changed: their sockets are looked at now; 0 is everybody's."""
        for socket, owner in self._open.items():
            if person_id in {0, owner}:
                socket.checked_at = float("-inf")
        self._hurry.set()

    async def watch(self) -> None:
        """Until cancelled: end pages that stopped acknowledging, and those whose person may no longer look."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _TICK_SECONDS)
            self._hurry.clear()
            now = time.monotonic()
            for socket in self._open:
                if socket.silent_seconds(now) > ACKNOWLEDGE_SECONDS:
                    socket.end(SILENT)
            await self._check([socket for socket in self._open if now - socket.checked_at >= RECHECK_SECONDS], now)

    async def _check(self, due: Collection["Socket"], now: float) -> None:
        keys = {socket.session_key for socket in due}
        if not keys:
            return
        for socket in due:
            socket.checked_at = now  # at once: what changes while they are read asks for another look
        try:
            found = await asyncio.to_thread(self._door.owners, keys)
        except DatabaseError as error:  # nobody can be told anything new either: asked again with the next tick
            logger.warning("The sessions of %d pages could not be read (%s).", len(keys), type(error).__name__)
            for socket in due:
                socket.checked_at = float("-inf")
            return
        for socket in due:
            if found.get(socket.session_key) != self._open.get(socket):
                socket.end(ENDED)

    def _session_of(self, scope: dict[str, Any]) -> str | None:
        """The session that a page of ours names, or None."""
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if len(origins) != 1 or origins[0].decode("latin-1") not in self._door.origins:
            return None
        cookies = [value for name, value in scope["headers"] if name == b"cookie"]
        return parse_cookie(cookies[0].decode("latin-1")).get(self._door.cookie) if cookies else None

    async def _owner(self, key: str) -> int | None:
        try:
            return await self._turnstile.owner(key)
        except DatabaseError as error:  # the page comes again
            logger.warning("A session could not be read (%s); its page is not let in.", type(error).__name__)
            return None

    def _has_room(self, owner: int) -> bool:
        return len(self._open) < MOST_SOCKETS and self._per_person[owner] < self._door.per_person


class Socket:
    """One open connection: what it wants and what waits for it."""

    def __init__(self, hub: Hub, send: Send, write: Write, session_key: str, may_look_at: LookAt) -> None:
        self._hub, self._send, self._write, self.session_key = hub, send, write, session_key
        self._may_look_at = may_look_at
        self.wanted = frozenset[str]()
        self.checked_at = time.monotonic()
        self._outbox = Outbox()
        self._bells: frozenset[str] = frozenset()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._allowance = float(MESSAGES_A_SECOND)
        self._heard_at = time.monotonic()

    def put(self, feed: Stream) -> None:
        """The hub has a newer state."""
        self._outbox.put(feed)
        self._flush()

    def ring(self, bell: Bell) -> None:
        """The hub rings."""
        if bell.of in self._bells:
            self._outbox.ring(bell)
            self._flush()

    def end(self, code: int) -> None:
        """Close it."""
        if not self._ended.done():
            self._ended.set_exception(Closed(code))

    def silent_seconds(self, now: float) -> float:
        """For how long its oldest unacknowledged message waits; 0 where there is none. `now`: monotonic seconds."""
        since = self._outbox.unacknowledged_since()
        return 0.0 if since is None else now - since

    async def run(self, receive: Receive) -> None:
        """Until the page goes, or must go."""
        self._hub.join(self)
        jobs = [asyncio.ensure_future(job) for job in (self._ended, self._read(receive))]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        except Closed as end:
            await self._send({"type": "websocket.close", "code": end.code})
        finally:
            self._hub.leave(self)
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _read(self, receive: Receive) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            self._allow()
            self._take(event.get("text"))

    def _allow(self) -> None:
        """Ten messages a second on average, ten at once."""
        now = time.monotonic()
        self._allowance = min(MESSAGES_A_SECOND, self._allowance + (now - self._heard_at) * MESSAGES_A_SECOND)
        self._heard_at = now
        if self._allowance < 1:
            raise Closed(TOO_BUSY)
        self._allowance -= 1

    def _take(self, text: str | None) -> None:
        if text is None or len(text.encode()) > LARGEST_TEXT:
            raise Closed(TOO_LONG)
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            raise Closed(NO_SENSE) from None
        match message:
            case {"ack": int(seq), **rest} if not rest:
                if self._outbox.acknowledge(seq):
                    self._flush()
            case {"want": [*names], **rest} if (
                len(names) <= MOST_STREAMS
                and all(map(streams.is_known, names))
                and (bells := streams.bells_of(rest)) is not None
            ):
                self._bells = bells
                self._want(frozenset(names))
            case _:
                raise Closed(NO_SENSE)

    def _want(self, names: frozenset[str]) -> None:
        if not self._may_look_at(self.wanted, names):
            raise Closed(TOO_BUSY)
        self.wanted = names
        self._outbox.keep_only(names)
        if not self._hub.want(self, names):
            raise Closed(TOO_BUSY)

    def _flush(self) -> None:
        while (message := self._outbox.take(at=time.monotonic())) is not None:
            self._write(message)
