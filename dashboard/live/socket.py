"""The live socket, `/live/`: a plain ASGI callable under Channels' sessions (docs/security.md S12, S15, S20, S29)."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dashboard import sessions
from dashboard.access import Action, can
from dashboard.live import streams
from dashboard.live.hub import Hub, Stream
from dashboard.live.outbox import Bell, Outbox

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_SOCKETS = 3000
MOST_STREAMS = 8
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
    """Whom the sockets of this process let in. `still_open` reads a session anew and blocks."""

    origins: frozenset[str]
    per_person: int
    still_open: Callable[[str], bool]
    now: Callable[[], Any]


class Sockets:
    """The ASGI application: one Socket for each connection that may come in."""

    def __init__(self, hub: Hub, door: Door) -> None:
        self._hub, self._door = hub, door
        self._per_person: Counter[int] = Counter()
        self._open: dict[Socket, int] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """One connection, from handshake to end. Its permission: VIEW, asked again every 30 seconds."""
        await receive()
        person = scope["user"]
        if not self._may_enter(scope):
            await send({"type": "websocket.close", "code": ENDED})
            return
        socket = Socket(self._hub, send, self._door.still_open, scope["session"].session_key)
        self._open[socket] = person.pk
        self._per_person[person.pk] += 1
        try:
            await send({"type": "websocket.accept"})
            await socket.run(receive)
        finally:
            del self._open[socket]
            self._per_person[person.pk] -= 1
            if not self._per_person[person.pk]:
                del self._per_person[person.pk]

    def check_again(self, person_id: int) -> None:
        """Somebody's rights changed: their sockets are looked at now; 0 is everybody's."""
        for socket, owner in self._open.items():
            if person_id in {0, owner}:
                socket.check_soon()

    def _may_enter(self, scope: dict[str, Any]) -> bool:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if len(origins) != 1 or origins[0].decode("latin-1") not in self._door.origins:
            return False
        person = scope["user"]
        return (
            can(person, Action.VIEW)
            and not sessions.is_over(scope["session"], person, now=self._door.now())
            and len(self._open) < MOST_SOCKETS
            and self._per_person[person.pk] < self._door.per_person
        )


class Socket:
    """One open connection: what it wants, what waits for it, and whether it may stay."""

    def __init__(self, hub: Hub, send: Send, still_open: Callable[[str], bool], session_key: str) -> None:
        self._hub, self._send, self._still_open, self._session_key = hub, send, still_open, session_key
        self._outbox = Outbox()
        self._woken = asyncio.Event()
        self._check = asyncio.Event()
        self._allowance = float(MESSAGES_A_SECOND)
        self._heard_at = time.monotonic()

    def put(self, feed: Stream) -> None:
        """The hub has a newer state."""
        self._outbox.put(feed)
        self._woken.set()

    def ring(self, bell: Bell) -> None:
        """The hub rings."""
        self._outbox.ring(bell)
        self._woken.set()

    def check_soon(self) -> None:
        """Look at the session now rather than within 30 seconds."""
        self._check.set()

    async def run(self, receive: Receive) -> None:
        """Until the page goes, or must go."""
        self._hub.join(self)
        jobs = [asyncio.create_task(job) for job in (self._read(receive), self._write(), self._watch())]
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
                    self._woken.set()
            case {"want": [*names], **rest} if (
                not rest and len(names) <= MOST_STREAMS and all(map(streams.is_known, names))
            ):
                self._want(set(names))
            case _:
                raise Closed(NO_SENSE)

    def _want(self, names: set[str]) -> None:
        self._outbox.keep_only(names)
        if not self._hub.want(self, names):
            raise Closed(TOO_BUSY)

    async def _write(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while (text := self._outbox.take(at=time.monotonic())) is not None:
                await self._send({"type": "websocket.send", "text": text})

    async def _watch(self) -> None:
        """Closes a page that stopped acknowledging, and one whose person may no longer look."""
        checked_at = time.monotonic()
        while True:
            try:
                await asyncio.wait_for(self._check.wait(), _TICK_SECONDS)
            except TimeoutError:
                since = self._outbox.unacknowledged_since()
                if since is not None and time.monotonic() - since > ACKNOWLEDGE_SECONDS:
                    raise Closed(SILENT) from None
            if self._check.is_set() or time.monotonic() - checked_at >= RECHECK_SECONDS:
                self._check.clear()
                checked_at = time.monotonic()
                if not await asyncio.to_thread(self._still_open, self._session_key):
                    raise Closed(ENDED)
