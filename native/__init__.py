"""What is compiled, where a compiler is at hand; the same is written in Python, and takes over where none is."""

from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "scanner.c"


def digest() -> str:
    """Of the sources, in hexadecimal: what was built from others is not used."""
    files = sorted([*FOLDER.glob("*.c"), *FOLDER.glob("*.h")])
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
