"""Calls whose message does not come: each holds a thread, so each is cancelled in the end."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # a deadline is kept to this


class Cancellable(Protocol):
    """What can be ended from another thread."""

    def cancel(self) -> object:
        """End it; who waits in it is told."""


class Deadlines:
    """Ends what is not over `seconds` after it began. One thread looks after all of them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: dict[int, tuple[float, Cancellable]] = {}  # oldest first: all have the same time
        self._looks = False

    @contextmanager
    def within(self, call: Cancellable) -> Iterator[None]:
        """Until the block ends, `call` is watched."""
        with self._lock:
            self._open[id(call)] = (time.monotonic() + self._seconds, call)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look, name="deadlines", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._open.pop(id(call), None)

    def _look(self) -> None:
        while True:
            time.sleep(min(LOOK_SECONDS, self._seconds))
            for call in self._late():
                try:
                    call.cancel()
                except Exception:
                    log.exception("A call could not be cancelled.")  # the others wait for this thread, too

    def _late(self) -> list[Cancellable]:
        now, late = time.monotonic(), []
        with self._lock:
            for at, call in self._open.values():
                if at > now:
                    break
                late.append(call)
            for call in late:
                del self._open[id(call)]
        return late
