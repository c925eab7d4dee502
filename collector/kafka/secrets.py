"""References -> secrets, in the collector's processes only (docs/security.md S48, S49)."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.config.references import is_reference
from collector.ports import KafkaRefused

MOST_BYTES = 64_000
_NO = "{} cannot be used. Set the variable, or put a file of at most 64 kB into WEIR_SECRETS_DIR, for this process."
_ELSEWHERE = "{0} is not meant for {1}. {0}_FOR names where it may be sent."


def secret(reference: str, *, folder: Path, destinations: Sequence[str], environ: Mapping[str, str]) -> str:
    """What lies behind a reference; "" for none. `destinations`: host:port of all that will get to see it.

    Raises KafkaRefused with the same words whether it is missing or may not be read.
    """
    if not reference:
        return ""
    if not is_reference(reference):
        raise KafkaRefused(_NO.format("A secret"))
    kind, _, name = reference.partition(":")
    if kind == "env":
        _check_bound(name, destinations, environ)
        found = environ.get(name) or _content(Path(environ[f"{name}_FILE"])) if _has(name, environ) else ""
    else:
        found = _inside(folder, name)
    if not found:
        raise KafkaRefused(_NO.format(reference))
    return found


def _has(name: str, environ: Mapping[str, str]) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _check_bound(name: str, destinations: Sequence[str], environ: Mapping[str, str]) -> None:
    bound = {each.strip() for each in environ.get(f"{name}_FOR", "").split(",") if each.strip()}
    if bound and not bound.issuperset(destinations):
        raise KafkaRefused(_ELSEWHERE.format(name, ", ".join(sorted(set(destinations) - bound))))


def _inside(folder: Path, name: str) -> str:
    path = Path(os.path.realpath(folder / name))
    return _content(path) if path.is_relative_to(os.path.realpath(folder)) else ""


def _content(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return ""
    with os.fdopen(descriptor, "rb") as opened:
        raw = opened.read(MOST_BYTES + 1)
    try:
        return "" if len(raw) > MOST_BYTES else raw.decode().strip()
    except UnicodeDecodeError:
        return ""
