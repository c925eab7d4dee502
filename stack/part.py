"""One part of the stack: what to run, after what, how to know that it serves, how to stop it."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.accounts import Account


def _nothing() -> None:
    return None


def _at_once(_pid: int) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Part:
    """A process to run. With `once` it is done when it ended with 0; else it is ready when `ready(pid)` says so.

    Of its log, lines that match `notable` are echoed (the file has all).

    `prepare` runs before each spawn, `settle` after the part became ready for the first time and before those that
    come `after` it. `optional` parts may fail, and nothing waits for them.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    after: tuple[str, ...] = ()
    once: bool = False
    optional: bool = False
    account: Account | None = None
    stdin: bytes = b""
    niceness: int = 0
    notable: str = ""  # a pattern; empty: every line
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 3.0
    start_seconds: float = 120.0
    prepare: Callable[[], None] = field(default=_nothing, repr=False)
    ready: Callable[[int], bool] = field(default=_at_once, repr=False)
    settle: Callable[[], None] = field(default=_nothing, repr=False)


def levels(parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], ...]:
    """The parts grouped by how much must run before them; the first group needs nothing. Stopped in reverse.

    ValueError when a part waits for itself or for a part that does not exist.
    """
    left = {part.name: part for part in parts}
    unknown = {name for part in parts for name in part.after} - left.keys()
    if unknown:
        raise ValueError(f"no such part: {', '.join(sorted(unknown))}")
    found: list[tuple[Part, ...]] = []
    while left:
        group = tuple(part for part in left.values() if not left.keys() & set(part.after))
        if not group:
            raise ValueError(f"these wait for each other: {', '.join(left)}")
        found.append(group)
        for part in group:
            del left[part.name]
    return tuple(found)
