"""Asking a running supervisor for something: a request file and an answer file in its data folder.

A socket would do too, but its path may have 107 bytes and a data folder's may be longer.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from stack import instance
from stack.places import made_private, write_private
from stack.problems import NotRunning

FOLDER = "control"
ANSWER_SECONDS = 15.0


class Refused(Exception):
    """The supervisor said no; the message is its answer."""


def ask(data: Path, verb: str, part: str = "") -> str:
    """Ask the supervisor of this data folder; its answer. NotRunning without one, Refused when it said no."""
    instance.holder(data)
    name = uuid.uuid4().hex
    request, answer = data / FOLDER / f"{name}.request", data / FOLDER / f"{name}.answer"
    write_private(request, json.dumps({"verb": verb, "part": part}))
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        if answer.exists():
            said = json.loads(answer.read_text(encoding="utf-8"))
            answer.unlink()
            if not said["done"]:
                raise Refused(said["said"])
            return str(said["said"])
        time.sleep(0.05)
    request.unlink(missing_ok=True)
    raise NotRunning(f"The supervisor in {data} did not answer within {ANSWER_SECONDS:.0f} s.")


def opened(data: Path) -> Path:
    """The folder for requests, empty."""
    folder = made_private(data / FOLDER)
    for leftover in folder.iterdir():
        leftover.unlink()
    return folder


def answer_all(folder: Path, act: Callable[[str, str], str]) -> None:
    """Carry out what was asked: `act(verb, part)` answers, or raises Refused."""
    for request in sorted(folder.glob("*.request")):
        try:
            asked = json.loads(request.read_text(encoding="utf-8"))
            said = {"done": True, "said": act(str(asked["verb"]), str(asked["part"]))}
        except (ValueError, KeyError, TypeError, Refused) as refusal:
            said = {"done": False, "said": str(refusal)}
        os.unlink(request)
        try:
            write_private(request.with_suffix(".answer"), json.dumps(said))
        except OSError as problem:  # a full disk; whoever asked is told that no answer came
            sys.stderr.write(f"no answer to {request.name}: {problem}\n")
