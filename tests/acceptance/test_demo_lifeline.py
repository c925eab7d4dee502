"""A service of the shop tells a client that is cut off for good from a Kafka that is away."""

import pytest
from confluent_kafka import Producer

from demo.lifeline import MOST_UNANSWERED, PROBE_EVERY_SECONDS, CutOff, Lifeline

pytestmark = pytest.mark.acceptance

NOWHERE = "127.0.0.1:1"
QUIET = {"log_level": 0}


class Clock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def connected() -> Producer:
    """A client with a broker of librdkafka's own, which others can reach too."""
    return Producer({"bootstrap.servers": NOWHERE, "test.mock.num.brokers": 1, **QUIET})


@pytest.fixture(scope="module")
def address(connected: Producer) -> str:
    (broker,) = connected.list_topics(timeout=10).brokers.values()
    return f"{broker.host}:{broker.port}"


@pytest.fixture(scope="module")
def cut_off() -> Producer:
    return Producer({"bootstrap.servers": NOWHERE, **QUIET})


def test_a_client_that_cannot_reach_a_kafka_which_others_reach_is_cut_off(cut_off: Producer, address: str) -> None:
    clock = Clock()
    lifeline = Lifeline(address, monotonic=clock)
    clock.now += PROBE_EVERY_SECONDS - 0.1
    lifeline.check(cut_off)
    clock.now += 0.1
    for _ in range(MOST_UNANSWERED - 1):
        lifeline.check(cut_off)
        clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(CutOff):
        lifeline.check(cut_off)


def test_while_kafka_is_away_for_everybody_nobody_is_cut_off(cut_off: Producer) -> None:
    clock = Clock()
    lifeline = Lifeline(NOWHERE, monotonic=clock)
    for _ in range(MOST_UNANSWERED):
        clock.now += PROBE_EVERY_SECONDS
        lifeline.check(cut_off)


def test_a_client_that_reaches_kafka_is_left_alone(connected: Producer, address: str) -> None:
    clock = Clock()
    lifeline = Lifeline(address, monotonic=clock)
    for _ in range(2):
        clock.now += PROBE_EVERY_SECONDS
        lifeline.check(connected)


def test_who_was_answered_meanwhile_is_not_cut_off(cut_off: Producer, connected: Producer, address: str) -> None:
    clock = Clock()
    lifeline = Lifeline(address, monotonic=clock)
    for client in (cut_off, cut_off, connected, cut_off, cut_off):
        clock.now += PROBE_EVERY_SECONDS
        lifeline.check(client)
