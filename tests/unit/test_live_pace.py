"""Twice in any second, the second time at once."""

from dashboard.live.pace import Pace


def test_two_follow_each_other_at_once_and_the_third_waits_until_the_first_is_a_second_old() -> None:
    pace = Pace()
    assert pace.wait_seconds(100.0) == 0
    pace.begin(100.0)
    assert pace.wait_seconds(100.1) == 0
    pace.begin(100.1)
    assert pace.wait_seconds(100.25) == 0.75
    pace.begin(101.0)
    assert abs(pace.wait_seconds(101.0) - 0.1) < 1e-9


def test_who_comes_every_half_second_never_waits_even_after_it_came_late() -> None:
    pace = Pace()
    for at in (10.0, 10.5, 11.0, 11.7, 12.2, 12.7):
        assert pace.wait_seconds(at) == 0, at
        pace.begin(at)
