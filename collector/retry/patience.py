"""Which clusters did not answer a moment ago: asked again by one operation at a time, and ever less often."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_SECONDS, LONGEST_SECONDS = 2.0, 30.0


@dataclass(frozen=True, slots=True)
class _Silence:
    ask_at: float
    wait_seconds: float


@dataclass(slots=True)
class Patience:
    """For all threads of a process."""

    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _silent: dict[str, _Silence] = field(default_factory=dict)

    def may_ask(self, cluster: str) -> bool:
        """Whether it is worth the wait. Of a silent cluster True for one of those who ask, when its wait is over."""
        with self._lock:
            silence = self._silent.get(cluster)
            if silence is None:
                return True
            now = self.monotonic()
            if now < silence.ask_at:
                return False
            self._silent[cluster] = _Silence(now + LONGEST_SECONDS, silence.wait_seconds)
            return True

    def answered(self, cluster: str) -> None:
        """It is there."""
        with self._lock:
            self._silent.pop(cluster, None)

    def did_not_answer(self, cluster: str) -> None:
        """Wait twice as long as the last time."""
        with self._lock:
            before = self._silent.get(cluster)
            seconds = min(before.wait_seconds * 2, LONGEST_SECONDS) if before else FIRST_SECONDS
            self._silent[cluster] = _Silence(self.monotonic() + seconds, seconds)


PATIENCE = Patience()
"""Of this process."""
