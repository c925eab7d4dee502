"""What commands that a person types are told of the stack that runs here."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stack import beside, instance, places
from stack.problems import CannotStart

ROOT = Path(__file__).resolve().parents[2]


Begin = Callable[[str], Path]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Lets a stack run in the folder of this name, until the end of the test."""
    monkeypatch.setattr(places, "data_folder", lambda _environ, *, instance: tmp_path / instance)
    with ExitStack() as held:

        def begun(name: str) -> Path:
            data = instance.opened_folder(tmp_path / name, name=name)
            (data / "stack.json").write_text(json.dumps({"url": "http://127.0.0.1:8001"}))
            held.enter_context(instance.held(data))
            return data

        yield begun


@pytest.mark.usefixtures("begin")
def test_nothing_is_told_where_none_runs() -> None:
    assert beside.environment({}) == {}


def test_a_command_is_told_database_folder_and_address(begin: Begin) -> None:
    data = begin("up")
    assert beside.environment({"PATH": "/bin"}) == {
        "DATABASE_URL_FILE": str(data / "secrets" / "database_url"),
        "WEIR_DATA_DIR": str(data),
        "WEIR_PUBLIC_URL": "http://127.0.0.1:8001",
    }
    (data / "stack.json").unlink()
    assert "WEIR_PUBLIC_URL" not in beside.environment({})


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_URL_FILE"])
def test_who_names_a_database_means_that_one(begin: Begin, name: str) -> None:
    begin("up")
    assert beside.environment({name: "postgresql://weir@other/weir"}) == {}


def test_of_two_the_one_that_is_meant_must_be_named(begin: Begin) -> None:
    begin("up")
    begin("demo")
    with pytest.raises(CannotStart, match=r"WEIR_DATA_DIR=.+/demo or WEIR_DATA_DIR=.+/up"):
        beside.environment({})


def test_a_process_of_weir_is_told_nothing_by_it(tmp_path: Path) -> None:
    """A collector that found the database but not the Kafka would take partitions that it cannot read."""
    program = "import sys, manage; print(manage.told(['manage.py', sys.argv[1]]))"
    with instance.held(instance.opened_folder(tmp_path / "data", name="up")):
        for command, expected in (("collect", False), ("create_token", True)):
            environ = {"PATH": os.environ["PATH"], "WEIR_DATA_DIR": str(tmp_path / "data")}
            said = subprocess.run(
                [sys.executable, "-c", program, command],
                cwd=ROOT,
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            )
            assert ("DATABASE_URL_FILE" in said.stdout) is expected
