"""What is compiled, where a compiler is at hand; the same is written in Python, and takes over where none is."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
SCANNER, TAPS = "weir_scanner", "weir_taps"
SOURCES: Mapping[str, tuple[str, ...]] = {SCANNER: ("scanner.c", "rows.h", "table.h", "wire.h"), TAPS: ("taps.c",)}
"""The files of each module, first the one that is compiled."""


def digest(name: str) -> str:
    """Of a module's sources, in hexadecimal: what was built from others is not used."""
    return sha256(b"".join((FOLDER / file).read_bytes() for file in sorted(SOURCES[name]))).hexdigest()
