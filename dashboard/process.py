"""Which of Weir's parts this process is, and what its database connections may do."""

import gc
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

POOLED = frozenset({"web", "worker"})
"""Parts whose threads come and go: a pool instead of one connection per thread."""

OBSERVING = frozenset({"receive", "collect", "fold", "sample"})
"""Parts that take in what happens, and ask nobody to work."""

_POOL_SIZE = 16
_DEAD_PEER = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # ms that what was sent may stay without an answer of the other machine's kernel
}
"""A database whose machine is gone is noticed within a minute; by default after a quarter of an hour, or two hours."""

_STATEMENT_SECONDS = {"web": 5, "receive": 60, "collect": 60, "fold": 60, "sample": 60, "worker": 60}


COLLECT_AFTER = (50_000, 20, 50)


def collect_seldom() -> None:
    """Look for garbage seldom: a page makes ten thousands of objects, none in a cycle; to look took a third of it."""
    gc.set_threshold(*COLLECT_AFTER)
    gc.freeze()  # modules and settings are never garbage


def part(arguments: Sequence[str]) -> str:
    """The part's name from the command line: web, receive, collect, fold, sample, worker, beat; else ""."""
    names = {"web", *OBSERVING}
    program = PurePath(arguments[0]).name if arguments else ""
    if program == "manage.py" and len(arguments) > 1 and arguments[1] in names:
        return arguments[1]
    if "celery" in (arguments[0] if arguments else ""):
        return next((word for word in arguments[1:] if word in {"worker", "beat"}), "")
    return ""


def database_options(name: str) -> dict[str, Any]:
    """Connection options of the part `name`.

    Prepared statements with server-side parameters make the reads behind a page twice as fast. statement_timeout
    guards against mistakes; commands that a person runs (migrate among them) have none. It is the database that keeps
    it: where that is gone, the kernel must say so.
    """
    seconds = _STATEMENT_SECONDS.get(name, 0)
    flags = f"-c statement_timeout={seconds}s -c idle_in_transaction_session_timeout={30 if seconds else 0}s"
    options: dict[str, Any] = {
        "server_side_binding": True,
        "prepare_threshold": 1,
        "application_name": f"weir-{name}" if name else "weir",
        "options": f"{flags} -c jit=off",
        **_DEAD_PEER,
    }
    if name in POOLED:
        options["pool"] = {"min_size": 2, "max_size": _POOL_SIZE, "timeout": 5}
    return options
