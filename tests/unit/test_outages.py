"""What the log says of something that is away, however often it is said."""

import logging
from collections.abc import Iterator

import pytest

from collector.outages import Outage

logger = logging.getLogger("weir.test_outages")


class Clock:
    at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> Iterator[Outage]:
    with caplog.at_level(logging.INFO, logger.name):
        yield Outage(logger, "Kafka", monotonic=clock)


def refused(outage: Outage) -> None:
    """As librdkafka says it."""
    outage.log(logging.ERROR, "%s [%s] %s", "FAIL", "weir#producer-1", "refused 100 %")


def test_two_and_a_half_minutes_away_are_one_line_one_a_minute_with_a_count_and_one_at_the_end(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1_200):  # eight a second
        refused(outage)
        outage.failed()
        clock.at += 0.125
    clock.at += 5
    outage.answered()
    outage.answered()
    line = "FAIL [weir#producer-1] refused 100 %"
    again = f"{line} (and 479 more like it since the last)"
    back = "Kafka answers again, 155 s after it first did not; 239 lines were left out"
    assert caplog.messages == [line, again, again, back]
    assert [each.levelno for each in caplog.records] == [logging.ERROR] * 3 + [logging.INFO]


def test_the_next_time_is_told_at_once(outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    refused(outage)
    outage.failed()
    clock.at += 5
    outage.answered()
    refused(outage)
    assert [said.partition(" ")[0] for said in caplog.messages] == ["FAIL", "Kafka", "FAIL"]


def test_one_broker_of_several_that_is_away_is_not_told_as_back_by_the_answers_of_the_others(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        refused(outage)
        outage.failed()
        clock.at += 1
        outage.answered()
    assert len(caplog.messages) == 1


def test_a_line_without_anything_that_failed_has_no_end_to_tell(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    refused(outage)
    clock.at += 3_600
    outage.answered()
    refused(outage)
    assert caplog.messages == ["FAIL [weir#producer-1] refused 100 %"] * 2


def test_what_nobody_sees_leaves_out_nothing(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.log(logging.DEBUG, "a connection was closed")
    refused(outage)
    assert caplog.messages == ["FAIL [weir#producer-1] refused 100 %"]
