"""Has an event passed, whose group's offset moved past it? Not while it is in its group's own retries."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Behind:
    """A sent event as it lies behind its group's offset.

    `n_errors`: process spans of the group at its position that ended in an error. `n_failed`: deliveries that had
    failed when its newest copy came to one of the group's retry topics; None where no such copy was seen.
    `retried_since`: for so long the only group that reads that topic is past the copy; None where it is not, or
    several read it.
    """

    n_errors: int
    n_failed: int | None
    retried_since: timedelta | None


def in_retry(of: Behind, *, wait: timedelta) -> int | None:
    """Which delivery it waits for; None when it passed.

    1. A copy on a retry topic tells where it is: it waits until that topic's reader has been past it for `wait`.
    2. A delivery that ended in an error has not passed: the retry topic may be one that is not tapped.
    3. Else it passed.
    """
    if of.n_failed is not None:
        is_through = of.retried_since is not None and of.retried_since >= wait
        return None if is_through else of.n_failed + 1
    return of.n_errors + 1 if of.n_errors else None
