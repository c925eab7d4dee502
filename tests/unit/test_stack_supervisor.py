"""The supervisor's pure parts: order, pauses, words."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from stack import instance
from stack.life import State, pause_seconds
from stack.part import Part, levels
from stack.problems import NotRunning, PartFailed
from stack.processes import readable_exit
from stack.supervisor import Supervisor


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


def full_disk() -> None:
    raise OSError(28, "No space left on device")


def with_full_disk(logs: Path) -> tuple[Supervisor, list[str]]:
    """A supervisor of one part that cannot be started, and what it says."""
    said: list[str] = []
    kafka = Part(name="kafka", argv=("true",), env={}, cwd=Path("/"), prepare=full_disk)
    return Supervisor((kafka,), logs, said.append), said


def test_a_part_that_cannot_be_started_again_takes_no_other_down(tmp_path: Path) -> None:
    supervisor, said = with_full_disk(tmp_path)
    life = supervisor.lives["kafka"]
    life.was_ready = True
    for _ in range(5):
        life.due_at = 0.0
        supervisor.tick()
    assert life.state is State.RESTING
    assert "No space left on device" in said[-1]
    assert said[-1].endswith("trying again in 8.0 s")


def test_a_part_that_cannot_be_started_at_all_is_told_after_three_tries(tmp_path: Path) -> None:
    supervisor, said = with_full_disk(tmp_path)
    for _ in range(2):
        supervisor.lives["kafka"].due_at = 0.0
        supervisor.tick()
    supervisor.lives["kafka"].due_at = 0.0
    with pytest.raises(PartFailed, match="No space left"):
        supervisor.tick()
    assert len(said) == 2


def test_the_holder_of_a_folder_is_never_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop sends a signal to this number, and 0 would be our own whole group."""
    monkeypatch.setattr(instance, "NAME_SECONDS", 0.1)
    (tmp_path / instance.MARKER).write_text("")
    descriptor = os.open(tmp_path / instance.MARKER, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(NotRunning):
            instance.holder(tmp_path)
    finally:
        os.close(descriptor)


def test_a_stack_that_ended_leaves_no_number_behind(tmp_path: Path) -> None:
    with instance.held(tmp_path):
        assert instance.holder(tmp_path) == os.getpid()
    assert (tmp_path / instance.MARKER).read_text() == ""


def test_only_what_this_boot_has_left_is_ended(tmp_path: Path) -> None:
    """After another boot, or in another container, the same numbers are somebody else's."""
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 60 > /dev/null & echo $!"], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    said, _ = leader.communicate()
    stray = psutil.Process(int(said))
    instance.remember_children(tmp_path, {"kafka": (leader.pid, stray.create_time())})
    kept = json.loads((tmp_path / instance.CHILDREN).read_text())
    (tmp_path / instance.CHILDREN).write_text(json.dumps({**kept, "machine": "another"}))
    assert instance.end_leftovers(tmp_path) == 0
    assert stray.is_running()
    (tmp_path / instance.CHILDREN).write_text(json.dumps(kept))
    assert instance.end_leftovers(tmp_path) == 1
    stray.wait(10)
