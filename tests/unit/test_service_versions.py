"""Which versions run, which time belongs to which, and what may be said of it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings

from collector.domain import histograms
from dashboard.queries.service import Silence
from dashboard.queries.service_events import Sighting, instance, newest
from dashboard.queries.service_series import plan
from dashboard.queries.service_versions import (
    NOTHING,
    Stretch,
    Took,
    Version,
    VersionRow,
    beside,
    comparison,
    running,
    stretches,
    took,
)
from dashboard.queries.window import Window

NOW = datetime(2026, 11, 23, 14, 20, 30, tzinfo=UTC)
CAME = datetime(2026, 11, 23, 14, 1, 37, tzinfo=UTC)
OLD = Version(1, "2.7.3", CAME - timedelta(days=3), CAME - timedelta(seconds=20))
NEW = Version(2, "2.8.0", CAME, NOW)


def last(minutes: float) -> Window:
    return Window(NOW - timedelta(minutes=minutes), NOW, live=True)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{clock}:00+00:00")


def test_a_version_that_was_replaced_runs_no_more() -> None:
    assert running([NEW, OLD], at=NOW) == (NEW,)


def test_in_the_past_the_version_of_then_ran() -> None:
    assert running([NEW, OLD], at=CAME - timedelta(minutes=1)) == (OLD,)


def test_while_a_deploy_rolls_both_run_the_newest_first() -> None:
    still = Version(1, "2.7.3", OLD.first_at, NOW - timedelta(seconds=50))
    assert running([still, NEW], at=NOW) == (NEW, still)


def test_after_a_roll_back_the_old_one_runs_and_nothing_is_compared() -> None:
    back, gone = Version(1, "2.7.3", OLD.first_at, NOW), Version(2, "2.8.0", CAME, CAME + timedelta(minutes=5))
    assert running([gone, back], at=NOW) == (back,)
    assert comparison([row(gone, is_running=False), row(back, is_running=True)]) is None


def test_a_service_without_versions_runs_none() -> None:
    assert running([], at=NOW) == ()
    assert comparison([row(NEW, is_running=True)]) is None


def test_the_newest_is_measured_since_it_came_and_the_one_before_in_its_last_hour() -> None:
    assert stretches([NEW, OLD], last(60), now=NOW) == (
        Stretch(at("14:02"), NOW, by_hours=False),
        Stretch(at("13:00"), at("14:00"), by_hours=False),
    )


def test_a_window_after_the_deploy_is_measured_from_its_own_beginning() -> None:
    assert stretches([NEW], last(5), now=NOW)[0].from_at == at("14:15")


def test_a_version_that_lived_shorter_than_an_hour_is_measured_as_long_as_it_lived() -> None:
    brief = Version(1, "2.7.4", at("13:40"), CAME)
    assert stretches([NEW, brief], last(60), now=NOW)[1] == Stretch(at("13:40"), at("14:00"), by_hours=False)


def test_a_version_of_less_than_a_minute_has_no_stretch() -> None:
    flash = Version(1, "2.7.4", CAME - timedelta(seconds=30), CAME)
    stretch = stretches([NEW, flash], last(60), now=NOW)[1]
    assert stretch.from_at >= stretch.to_at


@override_settings(WEIR_KEEP_1M=timedelta(hours=1))
def test_what_is_kept_by_hours_only_is_measured_by_whole_hours() -> None:
    assert stretches([NEW, OLD], Window(NOW - timedelta(minutes=30), NOW, live=True), now=NOW)[1] == Stretch(
        at("14:00") - timedelta(hours=24), at("14:00"), by_hours=True
    )


def test_long_windows_are_measured_by_whole_hours() -> None:
    assert stretches([NEW], last(600), now=NOW)[0] == Stretch(at("15:00"), NOW, by_hours=True)
    assert stretches([OLD], last(600), now=NOW)[0] == Stretch(at("04:00"), NOW, by_hours=True)


def test_another_version_in_the_same_stretch_is_named() -> None:
    stretch = Stretch(at("14:02"), NOW, by_hours=False)
    assert beside([NEW, OLD], NEW, stretch) == ()
    late = Version(1, "2.7.3", OLD.first_at, at("14:09"))
    assert beside([NEW, late], NEW, stretch) == ("2.7.3",)


def test_fewer_than_twenty_readings_tell_no_percentile() -> None:
    assert took(histograms.counted([140.0] * 19)) == Took(19, None, None)
    told = took(histograms.counted([140.0] * 19 + [1200.0]))
    assert told.n == 20
    assert told.p95 == pytest.approx(0.14, rel=0.05)
    assert took({}) == NOTHING


@pytest.mark.parametrize(
    ("silent_minutes", "usual_seconds", "odd"),
    [(26, 2, True), (1, 2, False), (26, 300, False), (26, None, False), (121, 300, True)],
)
def test_a_silence_is_odd_when_it_is_long_for_this_service(
    silent_minutes: float, usual_seconds: float | None, odd: bool
) -> None:
    silence = Silence(NOW - timedelta(minutes=silent_minutes), usual_seconds)
    assert silence.is_odd(now=NOW) is odd


def test_a_service_that_never_read_or_wrote_is_not_silent() -> None:
    assert not Silence(None, None).is_odd(now=NOW)


@pytest.mark.parametrize(
    ("minutes", "step_seconds", "table", "histogram"),
    [
        (15, 10, None, "edge_1m"),
        (60, 60, "edge_1m", "edge_1m"),
        (360, 120, "edge_1m", "edge_1m"),
        (1440, 600, "edge_1m", "edge_1h"),
        (30 * 1440, 4 * 3600, "edge_1h", "edge_1h"),
        (400 * 1440, 4 * 86400, "edge_1h", "edge_1h"),
    ],
)
def test_a_chart_has_at_most_180_steps_of_what_is_kept(
    minutes: int, step_seconds: int, table: str | None, histogram: str
) -> None:
    read = plan(last(minutes), now=NOW)
    assert (read.step.total_seconds(), read.table, read.histograms) == (step_seconds, table, histogram)
    assert minutes * 60 / step_seconds <= 180


def test_of_a_past_without_ten_seconds_the_minutes_tell() -> None:
    past = Window(NOW - timedelta(days=3, minutes=15), NOW - timedelta(days=3), live=False)
    read = plan(past, now=NOW)
    assert (read.step, read.table, read.fine_from) == (timedelta(minutes=1), "edge_1m", None)


def test_a_reading_seen_twice_is_one_event_with_its_time() -> None:
    received, processed = sighting(7, seconds=None), sighting(7, seconds=0.2)
    wrote = sighting(7, seconds=None, wrote=True)
    assert set(newest([received, processed, wrote])) == {processed, wrote}


def test_an_instance_says_p95_only_of_twenty_readings() -> None:
    few = instance("a", "1", [sighting(n, seconds=0.1) for n in range(19)])
    assert (few.n, few.p95) == (19, None)
    many = [sighting(n, seconds=0.1 if n < 19 else 9.0, failed=n == 3) for n in range(20)]
    assert (instance("a", "1", many).p95, instance("a", "1", many).n_failed) == (0.1, 1)
    assert instance("a", "1", []).last_at is None


def row(version: Version, *, is_running: bool) -> VersionRow:
    return VersionRow(version, is_running, Stretch(CAME, NOW, by_hours=False), NOTHING, ())


def sighting(offset: int, *, seconds: float | None, wrote: bool = False, failed: bool = False) -> Sighting:
    return Sighting("demo", "orders.created", 0, offset, NOW, wrote, seconds, failed, 1, "1", "a")
