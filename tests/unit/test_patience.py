"""A cluster that does not answer is asked ever less often, and by one at a time."""

from collector.retry.patience import FIRST_SECONDS, LONGEST_SECONDS, Patience


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_who_answers_may_always_be_asked_and_silence_of_one_says_nothing_of_another() -> None:
    patience = Patience(Clock())
    patience.did_not_answer("east")
    assert patience.may_ask("west")
    assert patience.may_ask("west")
    assert not patience.may_ask("east")
    patience.answered("east")
    assert patience.may_ask("east")


def test_a_silent_cluster_is_asked_by_one_after_twice_the_time_up_to_half_a_minute() -> None:
    clock = Clock()
    patience = Patience(clock)
    waits = []
    for _ in range(7):
        patience.did_not_answer("east")
        began = clock.at
        while not patience.may_ask("east"):
            clock.at += 0.5
        assert not patience.may_ask("east"), "another thread asks already"
        waits.append(clock.at - began)
    assert waits == [FIRST_SECONDS, 4, 8, 16, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]


def test_who_asked_and_never_came_back_keeps_others_waiting_for_half_a_minute_only() -> None:
    clock = Clock()
    patience = Patience(clock)
    patience.did_not_answer("east")
    clock.at = FIRST_SECONDS
    assert patience.may_ask("east")
    clock.at += LONGEST_SECONDS
    assert patience.may_ask("east")
