"""How long a worker waits for what is away, and what that adds up to."""

from collector.intake.working import FIRST_PAUSE_SECONDS, LONGEST_UNREACHABLE_SECONDS, longer
from collector.kafka.log import ANSWER_SECONDS, SILENCE_SECONDS
from collector.ports import KafkaRefused, KafkaUnreachable
from collector.store.connection import StoreAway


def pauses(error: Exception) -> list[float]:
    found = [FIRST_PAUSE_SECONDS]
    for _ in range(6):
        found.append(longer(found[-1], error))
    return found


def test_a_broker_that_hangs_is_asked_every_two_seconds_and_who_must_not_be_pressed_every_ten() -> None:
    assert pauses(KafkaUnreachable("")) == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert pauses(StoreAway("")) == pauses(KafkaRefused("")) == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_broker_that_is_back_has_the_pause_that_a_database_left_behind_no_longer() -> None:
    assert longer(10.0, KafkaUnreachable("")) == LONGEST_UNREACHABLE_SECONDS


def test_the_slowest_way_back_to_a_broker_that_hung_takes_less_than_half_a_minute() -> None:
    """A pause that just began; a question that its start swallowed; a pause; a client that answers and brings nothing
    until it is asked once more, and then does not answer; the last pause.
    """
    slowest = [
        LONGEST_UNREACHABLE_SECONDS,
        ANSWER_SECONDS,
        LONGEST_UNREACHABLE_SECONDS,
        SILENCE_SECONDS,
        ANSWER_SECONDS,
        FIRST_PAUSE_SECONDS,
    ]
    assert sum(slowest) < 30
