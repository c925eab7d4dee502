"""One state per stream for all sockets of this process: computed when something changed and somebody looks."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from django.db import connections

from collector import clock
from dashboard.live import deltas, streams
from dashboard.live.deltas import Message
from dashboard.live.outbox import Bell
from dashboard.live.pace import SECOND, Pace
from dashboard.queries.body_changes import changes
from dashboard.queries.ticks import Tick

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 5.0
"""Without a hint a stream is looked at all the same: hints may be lost."""
BELL_SECONDS = 1.0
_THREADS = 2
_AT_ONCE = 200
MOST_STREAMS = 64
"""Of this process: who chooses clusters makes streams of their own."""


class Reader(Protocol):
    """A socket, as the hub knows it."""

    def put(self, feed: "Stream") -> None: ...
    def ring(self, bell: Bell) -> None: ...


class Stream:
    """The newest state of one stream, with the messages that bring readers there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seq = 0
        self.readers: set[Reader] = set()
        self.pace = Pace()
        self._woken = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._tick: Tick | None = None
        self._base = 0
        self._delta: Message = b""
        self._snapshot: Message = b""

    def wake(self, *, at_once: bool) -> None:
        """Look at it again: as soon as its pace allows, or with the next hint that is worth it, half a second at most.

        Else what comes now and then would take the turn of the fold that comes next, which then waits for its own.
        """
        if at_once:
            self._woken.set()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(SECOND / 2, self._woken.set)

    def begin(self, now: float) -> None:
        """It is being looked at: all that woke it is answered. `now`: monotonic seconds."""
        self.pace.begin(now)
        self._woken.clear()
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def wait(self, longest: float) -> None:
        """Until it is woken, or so many seconds are over."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), longest)

    def take_in(self, tick: Tick, *, seq: int) -> bool:
        """Make `tick` the state. False when it says nothing new."""
        before, self._tick = self._tick, tick
        changed = changes(before.body, tick.body) if before else {}
        if before and not changed and before.as_of == tick.as_of:
            return False
        self._base, self.seq, self._snapshot = self.seq, seq, b""
        if before:
            self._delta = deltas.delta(self.name, seq, base=self._base, as_of=tick.as_of, changed=changed)
        return True

    def message_after(self, seen: int) -> Message:
        """The delta for who has the state before, else the whole state, encoded once for all who need it."""
        if seen and seen == self._base:
            return self._delta
        if not self._snapshot and self._tick:
            self._snapshot = deltas.snapshot(self.name, self.seq, as_of=self._tick.as_of, body=self._tick.body)
        return self._snapshot


class Hub:
    """Everything runs on one event loop; builders run in two threads. `build` reads the state of a named stream."""

    def __init__(self, build: streams.Build) -> None:
        self._build = build
        self._streams: dict[str, Stream] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._readers: set[Reader] = set()
        self._rung: dict[str, float] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._numbers = itertools.count(1)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="live")

    @property
    def n_readers(self) -> int:
        """Open sockets."""
        return len(self._readers)

    @property
    def n_streams(self) -> int:
        """Streams that somebody looks at."""
        return len(self._tasks)

    def join(self, reader: Reader) -> None:
        """The reader gets bells from now on."""
        self._readers.add(reader)

    def want(self, reader: Reader, names: Iterable[str]) -> bool:
        """The reader looks at these streams and no others; it gets the state of each as soon as there is one.

        False, and nothing changes, where that would be more streams than are kept.
        """
        wanted = set(names)
        kept = {name for name, stream in self._streams.items() if stream.readers != {reader}}
        if len(kept | wanted) > MOST_STREAMS:
            return False
        for name, stream in list(self._streams.items()):
            if name not in wanted and reader in stream.readers:
                self._leave_stream(reader, stream)
        for name in wanted:
            stream = self._streams.setdefault(name, Stream(name))
            stream.readers.add(reader)
            if stream.seq:
                reader.put(stream)
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._keep(stream))
        return True

    def leave(self, reader: Reader) -> None:
        """The reader is gone; a stream without readers is no longer computed, and forgotten."""
        self._readers.discard(reader)
        for stream in list(self._streams.values()):
            self._leave_stream(reader, stream)

    def wake(self, subject: str) -> None:
        """A hint arrived: streams it touches are looked at, its bell rings."""
        kinds = streams.WOKEN_BY.get(subject, ())
        for stream in self._streams.values():
            kind = stream.name.partition(":")[0]
            if kind in kinds:
                stream.wake(at_once=kind not in streams.LED_BY or streams.LED_BY[kind] == subject)
        if bell := streams.BELLS.get(subject):
            self._ring(bell)

    def wake_all(self) -> None:
        """Hints may have been lost: everything is looked at, every bell rings."""
        for subject in {*streams.WOKEN_BY, *streams.BELLS}:
            self.wake(subject)

    def _leave_stream(self, reader: Reader, stream: Stream) -> None:
        stream.readers.discard(reader)
        if not stream.readers:
            del self._streams[stream.name]
            if task := self._tasks.pop(stream.name, None):
                task.cancel()

    def _ring(self, of: str) -> None:
        """At most once a second for each bell: the last ring of a burst is kept."""
        wait = self._rung.get(of, float("-inf")) + BELL_SECONDS - time.monotonic()
        if wait <= 0:
            self._ring_now(of)
        elif of not in self._later:
            self._later[of] = asyncio.get_running_loop().call_later(wait, self._ring_now, of)

    def _ring_now(self, of: str) -> None:
        self._later.pop(of, None)
        self._rung[of] = time.monotonic()
        seq = next(self._numbers)
        bell = Bell(of, seq, deltas.bell(of, seq))
        for reader in list(self._readers):
            reader.ring(bell)

    async def _keep(self, stream: Stream) -> None:
        """Compute, hand out, wait for a hint; never more often than twice a second."""
        loop = asyncio.get_running_loop()
        while True:
            stream.begin(time.monotonic())
            try:
                tick = await loop.run_in_executor(self._threads, self._build, stream.name)
                if stream.take_in(tick, seq=next(self._numbers)):
                    await _hand_out(stream)
            except Exception:
                logger.exception("The stream %s could not be told; its pages keep what they show.", stream.name)
            await stream.wait(LONGEST_SECONDS)
            await asyncio.sleep(stream.pace.wait_seconds(time.monotonic()))


async def _hand_out(stream: Stream) -> None:
    """Readers write at once; in between others have their turn."""
    readers = list(stream.readers)
    for start in range(0, len(readers), _AT_ONCE):
        for reader in readers[start : start + _AT_ONCE]:
            if reader in stream.readers:
                reader.put(stream)
        await asyncio.sleep(0)


def read(name: str) -> Tick:
    """The state of the stream `name`, read now; for a thread, whose connection goes back afterwards."""
    wanted = streams.parse(name)
    if wanted is None:
        raise ValueError(name)
    try:
        return streams.BUILDERS[wanted.kind](wanted.seconds, now=clock.now(), clusters=wanted.clusters)
    finally:
        connections.close_all()
