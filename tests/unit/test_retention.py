"""When unread data will be deleted, by age and by size, at this pace."""

from math import inf

import pytest

from collector.domain.lag import Pace
from collector.domain.retention import Keeps, by_size, by_time, keeps, sooner

DAY = 86_400.0


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "3600000", "retention.bytes": "-1"}, Keeps(3600.0, None)),
        ({"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "1000"}, Keeps(None, 1000)),
        ({"cleanup.policy": "compact", "retention.ms": "3600000"}, Keeps(None, None)),
        ({"cleanup.policy": "compact,delete", "retention.ms": "3600000"}, Keeps(3600.0, None)),
        ({"cleanup.policy": "delete", "retention.ms": "soon"}, None),
        ({"cleanup.policy": "delete", "retention.ms": "3600000", "retention.bytes": "much"}, None),
        ({"cleanup.policy": "delete", "retention.bytes": "1000"}, None),
        ({}, None),  # the broker does not tell: unknown, not "for ever"
    ],
)
def test_what_a_topic_keeps(configs: dict[str, str | None], expected: Keeps | None) -> None:
    assert keeps(configs) == expected


@pytest.mark.parametrize(
    ("age", "pace", "kept", "expected"),
    [
        (3600, Pace(10, 0), DAY, DAY - 3600),  # it reads nothing: the event ages a second a second
        (3600, Pace(10, 5), DAY, 2 * (DAY - 3600)),  # it reads half of what comes in
        (3600, Pace(10, 10), DAY, inf),
        (3600, Pace(10, 20), DAY, inf),  # it catches up
        (2 * DAY, Pace(10, 0), DAY, 0),  # overdue: only whole segments go
        (3600, Pace(0, 0), DAY, DAY - 3600),  # nobody writes, nobody reads
        (3600, Pace(0, 5), DAY, inf),
        (3600, Pace(10, 0), None, inf),  # kept for ever
        (None, Pace(10, 0), DAY, None),
        (3600, Pace(None, 0), DAY, None),
    ],
)
def test_an_unread_event_is_deleted_when_it_is_too_old(
    age: float | None, pace: Pace, kept: float | None, expected: float | None
) -> None:
    found = by_time(age, pace, keeps_seconds=kept)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("unread", "pace", "kept", "expected"),
    [
        (1000, Pace(10, 0), 5000, 400),
        (1000, Pace(10, 8), 5000, 2000),
        (1000, Pace(10, 10), 5000, inf),
        (9000, Pace(10, 0), 5000, 0),
        (1000, Pace(10, 0), None, inf),
        (None, Pace(10, 0), 5000, None),
    ],
)
def test_an_unread_event_is_deleted_when_too_much_lies_behind_it(
    unread: int | None, pace: Pace, kept: float | None, expected: float | None
) -> None:
    found = by_size(unread, pace, keeps_offsets=kept)
    assert found == (None if expected is None else pytest.approx(expected))


def test_the_sooner_of_two_counts_and_unknown_is_not_never() -> None:
    assert sooner(5.0, inf) == 5.0
    assert sooner(None, 5.0) == 5.0
    assert sooner(None, inf) is None
    assert sooner(inf, inf) == inf
