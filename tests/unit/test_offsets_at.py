"""The last packed value before a moment."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.domain.sample_chunks import Opened, Point, opened, packed
from dashboard.queries import offsets_at

HOUR = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def bodies() -> list[tuple[datetime, bytes]]:
    """Two hours, in any order."""
    hours = [HOUR, HOUR + timedelta(hours=1)]
    return [
        (hour, packed([Point(hour + n * 60 * SECOND, ((hour.hour * 100 + n,),)) for n in range(60)])) for hour in hours
    ]


@pytest.mark.parametrize(
    ("moment", "value", "n_read"),
    [
        (HOUR + timedelta(hours=1, minutes=5), 105, 1),
        (HOUR + timedelta(hours=1) - SECOND, 59, 2),
        (HOUR - SECOND, None, 2),
    ],
)
def test_an_earlier_hour_is_unpacked_only_where_the_later_one_has_nothing(
    bodies: list[tuple[datetime, bytes]],
    moment: datetime,
    value: int | None,
    n_read: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[bytes] = []

    def counted(body: bytes) -> Opened:
        read.append(body)
        return opened(body)

    monkeypatch.setattr(offsets_at, "opened", counted)
    found: dict[tuple[int, int], tuple[datetime, tuple[list[int | None], ...]]] = {}
    offsets_at.take_in(found, (1, 2), bodies, moment)
    assert (found[1, 2][1] if found else None) == (None if value is None else ([value],))
    assert len(read) == n_read
