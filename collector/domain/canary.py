"""How a retry operation sends: in growing steps, each waiting for its outcomes, stopping by itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

MOST_PER_SECOND = 500
MOST_STEPS = 10
LEAST_WAIT_SECONDS, MOST_WAIT_SECONDS = 5, 3_600
COUNTED_AT_LEAST = 20  # a share of fewer outcomes says nothing


@dataclass(frozen=True, slots=True)
class Sending:
    """What a person chose. `stop_first` failures stop the steps before the last one, `stop_percent` all later ones.

    `one_per_key`: the next event of a key waits for the outcome of the one before, and is not sent when that failed.
    """

    rate_per_second: float = MOST_PER_SECOND
    steps: tuple[int, ...] = ()
    wait_seconds: int = 120
    asks_after_first: bool = False
    stop_first: int = 1
    stop_percent: float = 5.0
    one_per_key: bool = False

    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if not 0.1 <= self.rate_per_second <= MOST_PER_SECOND:
            return f"The rate is 0.1 to {MOST_PER_SECOND} a second."
        if len(self.steps) > MOST_STEPS or any(not 1 <= size <= 100_000 for size in self.steps):
            return f"At most {MOST_STEPS} steps, each of 1 to 100,000 events."
        if not LEAST_WAIT_SECONDS <= self.wait_seconds <= MOST_WAIT_SECONDS:
            return f"The wait for an outcome is {LEAST_WAIT_SECONDS} s to {MOST_WAIT_SECONDS // 60} min."
        if not 1 <= self.stop_first <= 100_000 or not 0 <= self.stop_percent <= 100:
            return "It stops at 1 failure or more, and at 0 to 100 %."
        return None


AT_ONCE = Sending()
CAREFUL = Sending(rate_per_second=50, steps=(1, 5, 20, 100), asks_after_first=True, one_per_key=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How the items of one step stand. `waiting`: not sent yet, or being sent; `open`: sent, their wait is not over.

    `good` and `bad` have an outcome: bad is failed again, no answer, or nobody knows. The rest was never sent.
    """

    n: int
    waiting: int
    open: int
    good: int
    bad: int

    @property
    def is_over(self) -> bool:
        """Nothing of it is waited for any more."""
        return self.waiting == 0 and self.open == 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens next. `step` counts from 1; `released`: items below this ordinal may be sent then."""

    what: Literal["wait", "go", "ask", "stop"]
    step: int
    released: int
    bad: int = 0
    of: int = 0


def bounds(steps: Sequence[int], n_items: int) -> tuple[int, ...]:
    """Where each step ends: sizes 1, 5, 20 of 4,732 items are 1, 6, 26, 4,732."""
    ends = [end for end in accumulate(steps) if end < n_items]
    return (*ends, n_items)


def step_of(ends: Sequence[int], released: int) -> int:
    """The step that is released up to there, from 0."""
    return next((index for index, end in enumerate(ends) if released <= end), len(ends) - 1)


def verdict(
    sending: Sending, ends: Sequence[int], progress: Sequence[Progress], *, released: int, forgiven: int
) -> Verdict:
    """What follows from the outcomes so far. `forgiven` failures were seen by a person who continued all the same."""
    at = step_of(ends, released)
    early = early_steps(sending)
    bad = sum(one.bad for one in progress)
    of = sum(one.bad + one.good for one in progress)
    if any(one.waiting for one in progress) and _too_many(sending, progress, early=early, forgiven=forgiven):
        return Verdict("stop", at + 1, released, bad, of)
    if at + 1 >= len(ends) or not all(one.is_over for one in progress[: at + 1]):
        return Verdict("wait", at + 1, released)
    asks = sending.asks_after_first and at == 0
    return Verdict("ask" if asks else "go", at + 1, ends[at + 1])


def early_steps(sending: Sending) -> int:
    """How many steps stop at the first failures: all but the last and the rest."""
    return max(len(sending.steps) - 1, min(len(sending.steps), 1))


def _too_many(sending: Sending, progress: Sequence[Progress], *, early: int, forgiven: int) -> bool:
    first = sum(one.bad for one in progress[:early])
    if first - forgiven >= sending.stop_first:
        return True
    later = progress[early:]
    bad = sum(one.bad for one in later) - max(0, forgiven - first)
    counted = sum(one.bad + one.good for one in later)
    return bad > 0 and bad * 100 > sending.stop_percent * max(counted, COUNTED_AT_LEAST)
