"""The steps of a retry operation and what came of each, and the log of what was done with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.backends.utils import CursorWrapper

from collector.domain.canary import Sending, bounds, step_of

MOST_LINES = 200
Stand = Literal["passed", "sends", "waits", "not_begun"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `waits_until`: when the last outcome is no longer waited for. `is_rest`: what the steps leave over."""

    number: int
    is_rest: bool
    n: int
    n_sent: int
    n_done: int
    n_failed_again: int
    n_open: int
    n_silent: int
    stand: Stand
    waits_until: datetime | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """What somebody did, or Weir itself (`person` is empty)."""

    at: datetime
    person: str
    what: str

    @property
    def key(self) -> str:
        """Names it among the operation's: when, in milliseconds since 1970. Others may have the same."""
        return str(round(self.at.timestamp() * 1000))

    @property
    def sentence(self) -> str:
        """olga paused, 3 in flight"""
        return f"{self.person or 'Weir'} {self.what}"


# Of the items themselves only those are read whose outcome is still waited for.
_STEPS = """
select c.step, c.n, c.n_sent, c.n_done, c.n_failed, coalesce(o.n, 0), c.n_unsure - coalesce(o.n, 0), c.n_left, o.last_at
from (select step, sum(n)::int n, coalesce(sum(n) filter (where is_sent), 0)::int n_sent,
    coalesce(sum(n) filter (where status in (4, 5)), 0)::int n_done,
    coalesce(sum(n) filter (where status = 6), 0)::int n_failed,
    coalesce(sum(n) filter (where status in (2, 3)), 0)::int n_unsure,
    coalesce(sum(n) filter (where status in (0, 1)), 0)::int n_left
  from retry_count where operation_id = %(id)s group by 1) c
left join (select step, count(*)::int n, max(sent_at) last_at from retry_item
  where operation_id = %(id)s and sent_at > %(since)s and status = 2 group by 1) o using (step)
"""


def steps_of(
    cursor: CursorWrapper, number: int, sending: Sending, *, n_items: int, released: int, now: datetime
) -> tuple[Step, ...]:
    """All steps, in order; () for an operation that sends all at once. One statement."""
    ends = bounds(sending.steps, n_items)
    at = step_of(ends, released)
    cursor.execute(_STEPS, {"id": number, "since": now - timedelta(seconds=sending.wait_seconds)})
    found = {row[0]: row[1:] for row in cursor.fetchall()}
    steps = []
    for index in range(len(ends) if sending.steps else 0):
        n, n_sent, n_done, n_failed, n_open, n_silent, n_left, last = found.get(index, (0,) * 7 + (None,))
        steps.append(
            Step(
                number=index + 1,
                is_rest=index >= len(sending.steps),
                n=n,
                n_sent=n_sent,
                n_done=n_done,
                n_failed_again=n_failed,
                n_open=n_open,
                n_silent=n_silent,
                stand=_stand(index, at, n_left=n_left, n_open=n_open),
                waits_until=last + timedelta(seconds=sending.wait_seconds) if n_open and last else None,
            )
        )
    return tuple(steps)


def _stand(index: int, at: int, *, n_left: int, n_open: int) -> Stand:
    if index > at:
        return "not_begun"
    if n_left:
        return "sends"
    return "waits" if n_open else "passed"


def log_of(cursor: CursorWrapper, number: int) -> tuple[LogLine, ...]:
    """What was done, oldest first; the newest 200. One statement."""
    cursor.execute(
        "select at, person_name, what from retry_log where operation_id = %s order by id desc limit %s",
        [number, MOST_LINES],
    )
    return tuple(LogLine(*row) for row in reversed(cursor.fetchall()))
