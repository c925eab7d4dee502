"""Patterns of names that people write: globs, with "-" before those that are left out."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

MOST_CHARACTERS, MOST_STARS = 200, 8  # what a pattern may cost (docs/security.md)


def matches(name: str, globs: Sequence[str]) -> bool:
    """True when a glob fits and none that starts with "-" does."""
    excluded = any(fnmatchcase(name, glob[1:]) for glob in globs if glob.startswith("-"))
    return not excluded and any(fnmatchcase(name, glob) for glob in globs if not glob.startswith("-"))


def is_cheap(glob: str) -> bool:
    """Whether a glob is short enough to be tried on every record's topic."""
    return 0 < len(glob.removeprefix("-")) <= MOST_CHARACTERS and glob.count("*") <= MOST_STARS
