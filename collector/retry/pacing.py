"""The rate of sending: a claim waits until the ones before it have used up their time."""

import threading
import time
from dataclasses import dataclass

LATE_SECONDS = 1.0  # a delay up to this is made up for; after a longer one (Kafka was away) the clock starts again


@dataclass
class Pace:
    """Keeps the average at the wanted rate: what a slow claim lost, the next ones win back."""

    _due: float | None = None

    def begin(self, in_seconds: float) -> None:
        """The first may be sent so long from now: who sent before has not used up its time."""
        self._due = time.monotonic() + in_seconds

    def wait(self, n: int, per_second: float, *, stopping: threading.Event) -> None:
        """Wait until `n` more may be sent; at once when the worker shall stop."""
        now = time.monotonic()
        due = now if self._due is None or now - self._due > LATE_SECONDS else self._due
        if due > now:
            stopping.wait(due - now)
        self._due = due + n / per_second
