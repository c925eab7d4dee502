"""What a process says of itself on Health."""

from datetime import UTC, datetime, timedelta

import pytest

from collector import clock
from collector.management.health import PartReport
from collector.store import reports
from collector.store.closing import forget_old
from dashboard.queries.health import parts
from tests.integration.intake_world import rows

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_after_a_clock_was_set_back_it_goes_on_reporting() -> None:
    report = PartReport("fold")
    report.say("First.", ok=True, now=AT)
    report.say("Too soon.", ok=True, now=AT + timedelta(seconds=1))
    assert rows("select sentence from part_report") == [("First.",)]
    earlier = AT - timedelta(hours=1)
    report.say("Again.", ok=True, now=earlier)
    assert rows("select sentence, at from part_report") == [("Again.", earlier)]


def test_who_stops_in_order_is_told_to_have_stopped_and_not_to_be_silent() -> None:
    report = PartReport("collect")
    report.say("Reads.", ok=True, now=clock.now())
    report.withdraw()
    (part,) = [part for part in parts(clock.now()) if part.name == "collect"]
    assert (part.state, part.sentence, part.instance) == ("missing", "was stopped", "")
    assert part.at is not None
    other = PartReport("collect")
    other.say("Reads again.", ok=True, now=clock.now())
    (part,) = [part for part in parts(clock.now()) if part.name == "collect"]
    assert (part.state, part.sentence) == ("ok", "Reads again.")


def test_of_processes_that_are_long_gone_the_newest_word_of_each_part_stays() -> None:
    for days in (2, 3):
        reports.report(
            "collect", instance=f"{days}@here", now=AT - timedelta(days=days), ok=True, sentence="", value={}
        )
    reports.report("fold", instance="1@here", now=AT - timedelta(days=5), ok=True, sentence="", value={})
    forget_old(AT)
    assert rows("select part, instance from part_report order by 1") == [("collect", "2@here"), ("fold", "1@here")]
