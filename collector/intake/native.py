"""The compiled scanner, where this machine could build it (native/), and why it is not used where it is not."""

import logging
from collections.abc import Callable
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


def compiled() -> Compiled | None:
    """A compiled scanner; None where there is none, or where it was built from other sources."""
    try:
        import weir_scanner
    except ImportError:
        return None
    if native.digest() != weir_scanner.SOURCE:
        log.warning("The compiled scanner was built from other sources and is not used: run `python -m native`.")
        return None
    made: Compiled = weir_scanner.Scanner()
    return made
