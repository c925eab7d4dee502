"""The command line: demo, up, fetch, status, stop, stop-part, start-part, kill-part, clean, folder, start-cache."""

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from stack import cache, control, instance, places, postgres_programs, running, start_cache
from stack.environment import server_environment
from stack.problems import CannotStart, NotRunning

STOP_SECONDS = 15.0


def main(arguments: list[str]) -> int:
    """Carry out one command; 0, or 1 with a sentence on stderr."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.act(asked))
    except (CannotStart, NotRunning, control.Refused) as problem:
        sys.stderr.write(f"\n{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped before anything was started\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in ("demo", "up"):
        command = commands.add_parser(name, help=f"start what `make {name}` starts, until Ctrl-C")
        command.set_defaults(act=_run, demo=name == "demo")
    commands.add_parser("fetch", help="fetch and check the pinned artifacts").set_defaults(act=_fetch)
    for name, act in (("status", _status), ("stop", _stop), ("clean", _clean), ("folder", _folder)):
        command = commands.add_parser(name)
        command.add_argument("--instance", choices=("demo", "up"), help="default: the one that runs")
        command.set_defaults(act=act)
    commands.choices["clean"].add_argument("--all", action="store_true", help="the cache too")
    for name in ("stop-part", "start-part", "kill-part"):
        command = commands.add_parser(name)
        command.add_argument("part")
        command.set_defaults(act=lambda asked, name=name: _ask(name, asked.part))
    command = commands.add_parser("start-cache", help="make Kafka's start cache")
    command.add_argument("--work", type=Path, required=True, help="a folder for the throw-away broker")
    command.set_defaults(act=_start_cache)
    return parser


def _run(asked: argparse.Namespace) -> int:
    running.run(demo=asked.demo, environ=os.environ)
    return 0


def _fetch(_asked: argparse.Namespace) -> int:
    fetched = cache.filled(os.environ, say=_tell)
    _tell(f"{len(fetched.kafka_jars)} jars and the page libraries are in {fetched.page_libraries.parent}, all checked")
    return 0


def _start_cache(asked: argparse.Namespace) -> int:
    os.umask(0o077)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the throw-away broker is ended with us
    fetched = cache.filled(os.environ, say=_tell)
    start_cache.make(fetched, work=asked.work, env=server_environment(os.environ))
    return 0


def _status(asked: argparse.Namespace) -> int:
    data = _running_folder(asked.instance)
    parts: dict[str, tuple[str, int | None]] = json.loads(control.ask(data, "status"))
    _tell(f"running with the data in {data} (supervisor pid {instance.holder(data)})")
    for name, (state, pid) in parts.items():
        _tell(f"{name:<16} {state:<10} {pid or ''}")
    return 0


def _stop(asked: argparse.Namespace) -> int:
    data = _running_folder(asked.instance)
    os.kill(instance.holder(data), signal.SIGTERM)
    if not instance.wait_until_free(data, seconds=STOP_SECONDS):
        raise NotRunning(f"The supervisor in {data} did not stop within {STOP_SECONDS:.0f} s.")
    _tell("stopped")
    return 0


def _clean(asked: argparse.Namespace) -> int:
    for data in _folders(asked.instance):
        try:
            os.kill(instance.holder(data), signal.SIGTERM)
            if not instance.wait_until_free(data, seconds=STOP_SECONDS):
                raise CannotStart(f"The stack in {data} does not stop; nothing was removed there.")
            _tell(f"stopped what ran in {data}")
        except NotRunning:
            pass
        if instance.removed(data):
            _tell(f"removed {data}")
    if asked.all:
        folder = places.cache_folder(os.environ)
        shutil.rmtree(folder, ignore_errors=True)
        postgres_programs.remove_copies()
        _tell(f"removed {folder}")
    return 0


def _folder(asked: argparse.Namespace) -> int:
    _tell(str(_folders(asked.instance)[0] if asked.instance else _running_folder(None)))
    return 0


def _ask(verb: str, part: str) -> int:
    _tell(control.ask(_running_folder(None), verb, part))
    return 0


def _folders(named: str | None) -> list[Path]:
    names = (named,) if named else ("demo", "up")
    return list(dict.fromkeys(places.data_folder(os.environ, instance=name) for name in names))


def _running_folder(named: str | None) -> Path:
    """The folder of the stack that runs (the demo's first); NotRunning when none does."""
    for data in _folders(named):
        try:
            instance.holder(data)
        except NotRunning:
            continue
        return data
    raise NotRunning("No stack runs. Start one with `make demo` or `make up`.")


def _tell(line: str) -> None:
    running.write_at_once(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
