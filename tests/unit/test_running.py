"""The loop of a command: from when its pause counts."""

import threading
import time
from collections.abc import Callable

from collector.management.running import _Pulse, _repeat


class Stop(threading.Event):
    """Set by the first pause, which it keeps."""

    pause = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.pause = timeout or 0.0
        self.set()
        return True


def pause_after(step: Callable[[], float | None]) -> float:
    stop = Stop()
    _repeat(step, stop, _Pulse(), 100.0)
    return stop.pause


def test_a_pause_counts_from_the_start_of_the_step_or_from_the_moment_it_returns() -> None:
    assert 40 < pause_after(lambda: None) <= 100
    assert 240 < pause_after(lambda: time.monotonic() + 200) <= 300
    assert pause_after(lambda: time.monotonic() - 200) == 0
