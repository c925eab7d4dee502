"""How much one token may send: spans a second, bytes a day. Who sends more is told to wait; nothing is lost (S60)."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from collector.receive.refusals import UNAVAILABLE, Refused
from collector.receive.senders import OPEN_SOURCE

BURST_SECONDS = 10.0  # of its spans that a source may send at once
LONGEST_WAIT = 300  # seconds that a sender is told to wait
MOST_SOURCES = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each source may send to this process; 0 is no limit."""

    spans_per_second: float = 0.0
    bytes_per_day: int = 0


@dataclass(slots=True)
class _Spent:
    """What one source has sent: spans above its pace at `at`, bytes on `day`."""

    at: datetime
    spans: float = 0.0
    day: date = date.min
    n_bytes: int = 0


@dataclass
class Allowances:
    """The books of all sources. Any thread may call it. A request is let in whole, and paid for by waiting after it.

    Who sends without a token is not limited: that is for this machine, or for who asks no token of anybody.
    """

    allowance: Allowance
    now: Callable[[], datetime]
    n_refused: int = 0
    _spent: OrderedDict[str, _Spent] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, source: str) -> None:
        """Raises Refused (429) while a source has sent more than it may."""
        if source == OPEN_SOURCE:
            return
        now = self.now()
        with self._lock:
            spent = self._settled(source, now)
            seconds = self._wait(spent, now)
            if seconds <= 0:
                return
            self.n_refused += 1
        wait = max(1, min(LONGEST_WAIT, math.ceil(seconds)))
        raise Refused(
            429, UNAVAILABLE, f"This source sends more than it may. Keep it, and try again in {wait} s.", wait
        )

    def spend(self, source: str, *, n_spans: int, n_bytes: int) -> None:
        """Note a request that was let in."""
        if source == OPEN_SOURCE:
            return
        with self._lock:
            spent = self._settled(source, self.now())
            spent.spans += n_spans
            spent.n_bytes += n_bytes

    def _settled(self, source: str, now: datetime) -> _Spent:
        spent = self._spent.get(source)
        if spent is None:
            spent = self._spent[source] = _Spent(now)
            while len(self._spent) > MOST_SOURCES:
                self._spent.popitem(last=False)
        self._spent.move_to_end(source)
        passed = max(0.0, (now - spent.at).total_seconds())
        spent.at, spent.spans = now, max(0.0, spent.spans - passed * self.allowance.spans_per_second)
        if spent.day != now.date():
            spent.day, spent.n_bytes = now.date(), 0
        return spent

    def _wait(self, spent: _Spent, now: datetime) -> float:
        """Seconds until the source may send again; 0 where it may now."""
        waits = [0.0]
        if pace := self.allowance.spans_per_second:
            waits.append(spent.spans / pace - BURST_SECONDS)
        if self.allowance.bytes_per_day and spent.n_bytes >= self.allowance.bytes_per_day:
            midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo)
            waits.append((midnight - now).total_seconds())
        return max(waits)
