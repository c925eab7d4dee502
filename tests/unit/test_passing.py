"""Whether an event that its group's offset moved past has passed, or is in its group's own retries: the case table."""

from datetime import timedelta

import pytest

from collector.domain.passing import Behind, in_retry

WAIT = timedelta(seconds=10)
SOON, LONG = timedelta(seconds=9), timedelta(seconds=10)


@pytest.mark.parametrize(
    ("n_errors", "n_failed", "retried_since", "expected"),
    [
        (0, None, None, None),  # nothing speaks against it
        (1, None, None, 2),  # it failed, and nobody saw where it went
        (3, None, None, 4),  # tried again in its place
        (0, 1, None, 2),  # a copy waits on the retry topic
        (1, 1, None, 2),  # the topic says more than the span
        (0, 3, SOON, 4),  # its reader is past it, a next copy or a death may follow
        (1, 3, LONG, None),  # and none did
        (0, 1, LONG, None),
    ],
)
def test_the_cases(n_errors: int, n_failed: int | None, retried_since: timedelta | None, expected: int | None) -> None:
    assert in_retry(Behind(n_errors, n_failed, retried_since), wait=WAIT) == expected
