"""How often a stream is looked at: twice in any second, and the second time at once."""

from collections import deque

AT_MOST = 2
SECOND = 1.0


class Pace:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self._began: deque[float] = deque(maxlen=AT_MOST)

    def begin(self, now: float) -> None:
        """One more begins."""
        self._began.append(now)

    def wait_seconds(self, now: float) -> float:
        """How long until the next may begin."""
        return max(0.0, self._began[0] + SECOND - now) if len(self._began) == AT_MOST else 0.0
