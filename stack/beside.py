"""What a command that a person types is told of the stack that runs here: its database, its folder, its address."""

import json
from collections.abc import Mapping
from pathlib import Path

from stack import instance, places
from stack.problems import CannotStart, NotRunning

NAMES = ("DATABASE_URL", "DATABASE_URL_FILE")


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Settings for `manage.py`; none where no stack runs, or where `environ` names a database.

    Raises CannotStart where two run and WEIR_DATA_DIR does not say which one is meant.
    """
    if any(environ.get(name) for name in NAMES):
        return {}
    running = [data for data in _folders(environ) if _runs(data)]
    if len(running) > 1:
        named = " or ".join(f"WEIR_DATA_DIR={data}" for data in running)
        raise CannotStart(f"Two stacks run here. Say which one is meant: {named}.")
    return _of(running[0]) if running else {}


def _folders(environ: Mapping[str, str]) -> list[Path]:
    return list(dict.fromkeys(places.data_folder(environ, instance=name) for name in ("demo", "up")))


def _runs(data: Path) -> bool:
    try:
        instance.holder(data)
    except NotRunning:
        return False
    return True


def _of(data: Path) -> dict[str, str]:
    found = {"DATABASE_URL_FILE": str(data / "secrets" / "database_url"), "WEIR_DATA_DIR": str(data)}
    try:
        facts = json.loads((data / "stack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is just starting, or belongs to another account
        return found
    return {**found, "WEIR_PUBLIC_URL": str(facts["url"])}
