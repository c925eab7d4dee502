"""The supervisor's pure parts: order, pauses, words."""

from pathlib import Path

import pytest

from stack.life import pause_seconds
from stack.part import Part, levels
from stack.processes import readable_exit


def part(name: str, *after: str) -> Part:
    return Part(name=name, argv=("true",), env={}, cwd=Path("/"), after=after)


def test_the_pause_before_a_restart_doubles_up_to_half_a_minute() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4, 7, 8, 5_000)] == [0.5, 1, 2, 4, 30, 30, 30]


def test_parts_are_grouped_by_what_must_run_before_them() -> None:
    parts = (part("web", "migrate"), part("migrate", "postgres"), part("postgres"), part("valkey"))
    assert [[one.name for one in group] for group in levels(parts)] == [["postgres", "valkey"], ["migrate"], ["web"]]


def test_parts_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for each other: a, b"):
        levels((part("a", "b"), part("b", "a")))


def test_a_part_that_waits_for_nobody_we_know_is_refused() -> None:
    with pytest.raises(ValueError, match="no such part: ghost"):
        levels((part("a", "ghost"),))


@pytest.mark.parametrize(("code", "words"), [(0, "exit 0"), (3, "exit 3"), (-9, "SIGKILL"), (-200, "signal 200")])
def test_an_end_is_told_by_its_exit_or_signal(code: int, words: str) -> None:
    assert readable_exit(code) == words
