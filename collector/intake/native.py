"""What is compiled, where this machine could build it (native/), and why it is not used where it is not."""

import logging
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import native

log = logging.getLogger(__name__)


class Compiled(Protocol):
    """What native/scanner.c does. For one thread."""

    @property
    def n_bytes(self) -> int:
        """About how much is remembered."""

    def scan(
        self, ask: object, body: bytes, source: str, found: object, linked: Callable[..., Any], most_spans: int, /
    ) -> bool:
        """Add the spans of a request to `found`. False: declined, and `found` is not to be used."""

    def forget(self) -> None:
        """Begin anew."""


Pack = Callable[[object, list[Any], dict[bytes, bytes | None], list[bytes], list[bytes]], list[Any]]
"""What native/taps.c does: append what records become to rows of record and of record_key; what is left over.

That is a record that must be read otherwise, or, with its size and who wrote it, one of which more must be read.
"""


def compiled() -> Compiled | None:
    """A compiled scanner; None where there is none, or where it was built from other sources."""
    module = _module(native.SCANNER)
    return None if module is None else module.Scanner()


def compiled_taps() -> Pack | None:
    """The compiled packing of tapped records; None as above."""
    module = _module(native.TAPS)
    return None if module is None else module.pack


def _module(name: str) -> ModuleType | None:
    try:
        module = import_module(name)
    except ImportError:
        return None
    if native.digest(name) != module.SOURCE:
        log.warning("%s was built from other sources and is not used: run `python -m native`.", name)
        return None
    return module
