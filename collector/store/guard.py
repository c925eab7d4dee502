"""How many names a sender may bring before what tells them apart is folded away. Pure: it only counts."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum


class Kind(IntEnum):
    """Dictionaries, as stored in folded_name.kind."""

    SERVICE = 1
    VERSION = 2
    SOURCE = 3
    TOPIC = 4
    GROUP = 5
    NAME = 6
    ATTRIBUTES = 7
    EDGE = 8
    CLIENT = 9
    CLUSTER = 10


# New rows per owner. Owner: the service (version of the service for sources, cluster for groups), or 0 for the install.
LIMITS: Mapping[Kind, int] = {
    Kind.SERVICE: 2_000,
    Kind.VERSION: 500,
    Kind.SOURCE: 2_000,  # a day
    Kind.TOPIC: 50,  # that no broker confirmed
    Kind.GROUP: 2_000,
    Kind.NAME: 500,
    Kind.ATTRIBUTES: 200_000,
    Kind.EDGE: 2_000,
    Kind.CLIENT: 500,
    Kind.CLUSTER: 20,
}
NEW_AN_HOUR = 10_000  # names of one source, whatever they name
FOLDED_SHARE = 10  # of a limit, one part in ten more for names that are folded already

_IDS = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"  # UUIDs
    r"|(?<![0-9A-Za-z])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}(?![0-9A-Za-z])"  # long hexadecimal
    r"|[0-9]+"
)


def folded(text: str) -> str:
    """`text` with ids and numbers as #: "GET /orders/4711" and "GET /orders/4712" become one name."""
    return _IDS.sub("#", text)


@dataclass
class Guard:
    """Counts of one process, started from what the tables hold. The sources' count starts anew each day."""

    counts: Counter[tuple[Kind, int]]
    limits: Mapping[Kind, int] = field(default_factory=lambda: LIMITS)
    most_an_hour: int = NEW_AN_HOUR
    source: str = ""  # who brings the names that come now
    _day: date | None = None
    _hour: datetime | None = None
    _new: Counter[str] = field(default_factory=Counter)  # of this hour, by source

    def admits(self, kind: Kind, owner: int, *, is_folded: bool = False) -> bool:
        """True, and counted, when one more new name fits."""
        limit, most_new = self.limits[kind], self.most_an_hour
        if is_folded:
            limit += max(limit // FOLDED_SHARE, 1)
            most_new += max(most_new // FOLDED_SHARE, 1)
        if self.counts[kind, owner] >= limit or self._new[self.source] >= most_new:
            return False
        self.counts[kind, owner] += 1
        self._new[self.source] += 1
        return True

    def begins_day(self, today: date) -> bool:
        """True when the day has changed since the last call: every version may bring new instances again."""
        is_another = self._day not in (None, today)
        self._day = today
        return is_another

    def begin_hour(self, now: datetime) -> None:
        """Let every source bring new names again when the hour has changed."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour = hour
            self._new.clear()

    def count_anew(self, counts: Counter[tuple[Kind, int]]) -> None:
        """Start from what the tables hold now: names may have been forgotten."""
        self.counts = counts
