"""What a process says of itself on Health."""

from datetime import UTC, datetime, timedelta

import pytest

from collector.management.health import PartReport
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
