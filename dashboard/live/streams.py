"""What ticks: the streams by name, who builds each, and over which windows."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from dashboard.queries.ticks import Tick, graph_tick, groups_tick, topics_tick

WINDOWS = frozenset({300, 900, 3600, 21600, 86400})
"""Seconds: the live time ranges of the pages."""


class Builder(Protocol):
    """Reads the newest state of a stream; called in a thread with a database connection of its own."""

    def __call__(self, window_seconds: int, *, now: datetime) -> Tick: ...


BUILDERS: dict[str, Builder] = {"graph": graph_tick, "groups": groups_tick, "topics": topics_tick}
WOKEN_BY = {
    "topology": ("graph",),
    "samples": ("graph", "groups", "topics"),
    "letters": ("graph",),
    "names": ("graph", "groups", "topics"),
}
"""Which streams a hint makes worth a look."""
BELLS = {"letters": "letters", "retries": "retries", "layout": "layout", "health": "health", "topology": "events"}
"""Which doorbell a hint rings on the pages."""
Build = Callable[[str], Tick]


def is_known(name: object) -> bool:
    """Whether `name` is a stream such as "graph:900"."""
    if not isinstance(name, str):
        return False
    kind, _, seconds = name.partition(":")
    return kind in BUILDERS and seconds.isascii() and seconds.isdigit() and len(seconds) < 6 and int(seconds) in WINDOWS
