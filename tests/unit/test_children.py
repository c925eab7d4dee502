"""Processes that a command keeps."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.management.children import LIVED_SECONDS, Children, pause_after

LIVES = "import sys; open(sys.argv[1], 'a').write(f'{__import__(\"os\").getpid()}\\n'); sys.stdin.read()"


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


class Kept:
    """Children that write their ids into files of their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children = Children(
            lambda name: [sys.executable, "-S", "-c", LIVES, str(folder / name)], lambda _: dict(os.environ)
        )

    def pids(self, name: str) -> list[int]:
        file = self.folder / name
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def started(self, *names: str, times: int = 1) -> bool:
        self.children.keep(names)
        return all(len(self.pids(name)) >= times for name in names)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path)
    yield found
    found.children.stop()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_who_dies_again_and_again_is_started_ever_later_but_never_ten_seconds_later() -> None:
    pauses = [0.0]
    for _ in range(6):
        pauses.append(pause_after(pauses[-1], lived_seconds=2.0))
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert pause_after(10.0, lived_seconds=LIVED_SECONDS + 1) == 0.0


def test_who_dies_is_started_again_and_the_other_one_never_notices(kept: Kept) -> None:
    wait_until(lambda: kept.started("east", "west"))
    assert kept.children.trouble is None
    (east,), west = kept.pids("east"), kept.pids("west")
    os.kill(east, signal.SIGABRT)
    wait_until(lambda: kept.started("east", "west") and len(kept.pids("east")) == 2)
    assert kept.pids("west") == west


def test_who_is_kept_no_more_ends_and_all_end_at_the_stop(kept: Kept) -> None:
    wait_until(lambda: kept.started("east", "west"))
    (east,), (west,) = kept.pids("east"), kept.pids("west")
    kept.children.keep(["west"])
    assert not is_alive(east)
    assert is_alive(west)
    kept.children.stop()
    assert not is_alive(west)


def test_a_process_that_does_not_stay_is_named_with_how_it_ended(tmp_path: Path) -> None:
    children = Children(lambda _: [sys.executable, "-S", "-c", "raise SystemExit(3)"], lambda _: dict(os.environ))

    def is_told() -> bool:
        children.keep(["east"])
        return children.trouble is not None

    wait_until(is_told)
    assert children.trouble == "Ended, and to be started again: east (exit status 3)."
    children.stop()


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """As it would be without a chance to say anything."""
    child = (
        "import time; from collector.management.children import end_with_parent; end_with_parent();"
        f" open({str(tmp_path / 'child')!r}, 'w').write(str(__import__('os').getpid())); time.sleep(60)"
    )
    parent = (
        "import os, sys, time; from collector.management.children import Children;"
        f" c = Children(lambda _: [sys.executable, '-c', {child!r}], lambda _: dict(os.environ));"
        " c.keep(['east']); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    file = tmp_path / "child"
    wait_until(lambda: file.exists() and file.read_text() != "")
    pid = int(file.read_text())
    process.kill()
    process.wait()
    wait_until(lambda: not is_alive(pid))
