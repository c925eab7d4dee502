"""Growing steps: each waits for its outcomes, and failures stop the rest."""

import pytest

from collector.domain.canary import CAREFUL, Progress, Sending, bounds, step_of, verdict

STEPS = Sending(steps=(1, 5, 20, 100), asks_after_first=False)
ENDS = bounds(STEPS.steps, 1000)


def _steps(*said: str) -> list[Progress]:
    """How many are w(aiting), o(pen), g(ood), b(ad) in each step: "g5 b1"."""
    found = []
    for text in said:
        n = {sign: int(text.partition(sign)[2].split(" ")[0]) if sign in text else 0 for sign in "wogb"}
        found.append(Progress(sum(n.values()), n["w"], n["o"], n["g"], n["b"]))
    return found


@pytest.mark.parametrize(
    ("sizes", "n", "expected"),
    [
        ((1, 5, 20, 100), 4732, (1, 6, 26, 126, 4732)),
        ((1, 5, 20, 100), 26, (1, 6, 26)),
        ((1, 5, 20, 100), 3, (1, 3)),
        ((5,), 5, (5,)),
        ((), 7, (7,)),
    ],
)
def test_where_each_step_ends(sizes: tuple[int, ...], n: int, expected: tuple[int, ...]) -> None:
    assert bounds(sizes, n) == expected


def test_the_step_that_is_released() -> None:
    assert [step_of(ENDS, released) for released in (1, 6, 26, 126, 1000)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("progress", "released", "what", "then"),
    [
        (_steps("w1", "w5", "w20", "w100", "w874"), 1, "wait", 1),
        (_steps("o1", "w5", "w20", "w100", "w874"), 1, "wait", 1),
        (_steps("g1", "w5", "w20", "w100", "w874"), 1, "go", 6),
        (_steps("g1", "g4 o1", "w20", "w100", "w874"), 6, "wait", 6),
        (_steps("b1", "w5", "w20", "w100", "w874"), 1, "stop", 1),
        (_steps("g1", "g4 b1", "w20", "w100", "w874"), 6, "stop", 6),
        (_steps("g1", "g5", "g20", "g99 b1", "w874"), 126, "go", 1000),
        (_steps("g1", "g5", "g20", "o80 g18 b2", "w874"), 126, "stop", 126),
        (_steps("g1", "g5", "g20", "o80 g19 b1", "w874"), 126, "wait", 126),
        (_steps("g1", "g5", "g20", "g95 b5", "w774 g100"), 1000, "wait", 1000),
        (_steps("g1", "g5", "g20", "g95 b5", "w774 g90 b10"), 1000, "stop", 1000),
    ],
)
def test_what_the_outcomes_say_of_the_rest(progress: list[Progress], released: int, what: str, then: int) -> None:
    found = verdict(STEPS, ENDS, progress, released=released, forgiven=0)
    assert (found.what, found.released) == (what, then)


def test_nothing_stops_that_has_nothing_left_to_send() -> None:
    assert verdict(STEPS, (1,), _steps("b1"), released=1, forgiven=0).what == "wait"


def test_a_person_is_asked_after_the_first_step_alone() -> None:
    first = verdict(CAREFUL, ENDS, _steps("g1", "w5", "w20", "w100", "w874"), released=1, forgiven=0)
    second = verdict(CAREFUL, ENDS, _steps("g1", "g5", "w20", "w100", "w874"), released=6, forgiven=0)
    assert (first.what, second.what) == ("ask", "go")


def test_failures_that_a_person_saw_count_no_more_but_new_ones_do() -> None:
    seen = _steps("g1", "g4 b1", "w20", "w100", "w874")
    more = _steps("g1", "g4 b1", "g18 b1 w1", "w100", "w874")
    assert verdict(STEPS, ENDS, seen, released=6, forgiven=1).what == "go"
    assert verdict(STEPS, ENDS, more, released=26, forgiven=1).what == "stop"


def test_a_share_counts_from_twenty_outcomes_on() -> None:
    at_once = Sending(steps=(), stop_percent=5)
    assert verdict(at_once, (1000,), _steps("b1 g2 w997"), released=1000, forgiven=0).what == "wait"
    assert verdict(at_once, (1000,), _steps("b2 g2 w996"), released=1000, forgiven=0).what == "stop"


@pytest.mark.parametrize(
    "sending",
    [
        Sending(rate_per_second=501), Sending(rate_per_second=0), Sending(rate_per_second=float("nan")),
        Sending(steps=(0,)), Sending(steps=(1,) * 11), Sending(wait_seconds=1), Sending(stop_first=0),
        Sending(stop_percent=101),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(sending: Sending) -> None:
    assert sending.problem() is not None
