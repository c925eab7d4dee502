"""The parts' logs: one file each, echoed with a prefix and without control characters."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROTATE_BYTES = 10_000_000
LONGEST_LINE = 4_000
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


def escaped(line: str) -> str:
    """The line with ESC, C0, C1 and direction controls written as `\\x1b` (security S8)."""
    return _CONTROLS.sub(lambda found: _written(ord(found.group())), line)


def _written(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def prefixed(name: str, line: str, *, width: int, colour: int | None) -> str:
    """`name │ line`, the name padded to `width` and coloured."""
    label = f"{name:<{width}} │"
    if colour is not None:
        label = f"\x1b[{colour}m{label}\x1b[0m"
    return f"{label} {line}"


def colour_of(position: int) -> int:
    """The terminal colour of the part at this position of the list."""
    return _COLOURS[position % len(_COLOURS)]


def opened_log(path: Path) -> IO[bytes]:
    """The log to append to; an earlier one that grew over 10 MB becomes `.1` first."""
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        os.replace(path, path.with_name(f"{path.name}.1"))
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab")


@dataclass
class Follower:
    """Reads what a part wrote since the last look."""

    path: Path
    position: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def skip_to_end(self) -> None:
        """Forget what is there already."""
        self.position = self.path.stat().st_size if self.path.exists() else 0
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Complete new lines, escaped; an over-long one is cut and says so."""
        *whole, self._rest = (self._rest + self._more()).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for raw in whole:
            text = raw.decode("utf-8", "replace").rstrip("\r")
            cut = text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} … cut"
            yield escaped(cut)

    def _more(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self.position:  # it was emptied
                    self.position = 0
                file.seek(self.position)
                more = file.read()
        except FileNotFoundError:
            return b""
        self.position += len(more)
        return more

    def keep_small(self) -> None:
        """Copy a log over 10 MB to `.1` and empty it; the part keeps its open file, which appends."""
        if self.path.exists() and self.path.stat().st_size > ROTATE_BYTES:
            copy = self.path.with_name(f"{self.path.name}.1")
            try:
                shutil.copyfile(self.path, copy)
            except OSError:  # where the disk is full, room is worth more than an old log
                copy.unlink(missing_ok=True)
            os.truncate(self.path, 0)
            self.skip_to_end()
