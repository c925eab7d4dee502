"""The only wall-clock read, and a clock that nobody sets."""

import time
from datetime import UTC, datetime

_RUNS_ON: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def running_seconds() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps (on Linux).

    Each machine has its own: compare only what one process has read.
    """
    return time.clock_gettime(_RUNS_ON)
