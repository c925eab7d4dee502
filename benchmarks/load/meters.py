"""How long something took, whose CPU it used, and how busy the machine was with other things."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

PARTS = {"postgres": "postgres", "java": "kafka"}  # by the program's name; all else below us is the collector


@dataclass
class Reading:
    """One measured stretch. `cpu_seconds`: by part, of our own processes."""

    seconds: float = 0.0
    cpu_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    foreign_cores: float = 0.0


@contextmanager
def measured(me: str = "collector") -> Iterator[Reading]:
    """Measure what happens inside; `me` is the part that this process plays."""
    reading = Reading()
    began, before, busy_before = time.perf_counter(), _own(me), _busy()
    yield reading
    reading.seconds = time.perf_counter() - began
    for pid, (part, seconds) in _own(me).items():
        reading.cpu_seconds[part] += seconds - before.get(pid, (part, 0.0))[1]
    foreign = _busy() - busy_before - sum(reading.cpu_seconds.values())
    reading.foreign_cores = max(0.0, foreign / reading.seconds)


def _own(part: str) -> dict[int, tuple[str, float]]:
    """CPU seconds of this process and all below it."""
    found: dict[int, tuple[str, float]] = {}
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        try:
            with process.oneshot():
                times = process.cpu_times()
                its = part if process == here else PARTS.get(process.name(), "collector")
                found[process.pid] = (its, times.user + times.system)
        except psutil.NoSuchProcess:
            continue
    return found


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)
