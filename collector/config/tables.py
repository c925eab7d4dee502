"""Reads one table of a settings file field by field; what is wrong is noted, and reading goes on."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from collector.config import references
from collector.domain import globs

MOST_TEXT, MOST_WORDS = 1_000, 200
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and what to do. `where`: the path of tables and the key, as in clusters.prod.password."""

    where: tuple[str, ...]
    sentence: str

    @property
    def key(self) -> str:
        """The path with dots."""
        return ".".join(self.where)


def glob_problem(text: str) -> str | None:
    """What is wrong with a pattern of topics, or None."""
    if globs.is_cheap(text):
        return None
    return f"must be a pattern of at most {globs.MOST_CHARACTERS} characters and {globs.MOST_STARS} stars"


def topic_problem(text: str) -> str | None:
    """What is wrong with the name of a topic, or None."""
    return None if _TOPIC.fullmatch(text) else "must be the name of a topic"


def service_of(text: str) -> tuple[str, str]:
    """Namespace and name of a service as people write it: billing-svc, or shop/billing-svc."""
    namespace, _, name = text.rpartition("/")
    return namespace, name


class Table:
    """The fields of one table. Every read notes its problem in `problems`, and gives something harmless back."""

    def __init__(self, where: tuple[str, ...], body: object, problems: list[Problem]) -> None:
        self._where = where
        self._problems = problems
        self._read: set[str] = set()
        self._body: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        if not isinstance(body, Mapping):
            self.blame("", f"must be a table: [{'.'.join(where)}]")

    def blame(self, name: str, sentence: str) -> None:
        """Note what is wrong with the field, or with the whole table where `name` is ""."""
        self._problems.append(Problem((*self._where, name) if name else self._where, sentence))

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._body

    def expect(self, *names: str) -> None:
        """These fields are known here, whether they were read or not."""
        self._read.update(names)

    def text(self, name: str, *, allowed: Collection[str] = (), needed: bool = False) -> str:
        """A text; "" where it is not there."""
        value = self._value(name)
        if value is None:
            if needed:
                self.blame(name, "is missing")
            return ""
        if not isinstance(value, str) or not value or len(value) > MOST_TEXT:
            self.blame(name, 'must be a text: "…"')
            return ""
        if allowed and value not in allowed:
            self.blame(name, f"must be one of {', '.join(sorted(allowed))}")
            return ""
        return value

    def texts(self, name: str, *, check: Callable[[str], str | None] | None = None) -> tuple[str, ...]:
        """A list of texts; () where it is not there. `check` says what is wrong with one, or None."""
        value = self._value(name)
        if value is None:
            return ()
        words = value if isinstance(value, list) else [value]
        if len(words) > MOST_WORDS or not all(isinstance(word, str) and 0 < len(word) <= MOST_TEXT for word in words):
            self.blame(name, 'must be a list of texts: ["…", "…"]')
            return ()
        for number, word in enumerate(words, 1):
            if check and (sentence := check(word)):
                self.blame(name, f"number {number} {sentence}")
        return tuple(words)

    def switch(self, name: str, *, default: bool) -> bool:
        """true or false."""
        value = self._value(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.blame(name, "must be true or false")
            return default
        return value

    def number(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number between the two; None where it is not there."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.blame(name, f"must be a whole number from {least:,} to {most:,}")
            return None
        return value

    def reference(self, name: str, *, env_only: bool = False) -> str:
        """Where a secret lies; "" where the field is not there. The value is never repeated: it may be the secret."""
        value = self._value(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not references.is_reference(value, env_only=env_only):
            self.blame(name, references.HOW_ENV if env_only else references.HOW)
            return ""
        return value

    def done(self, where: str = "here") -> None:
        """Nothing else may be there: a word that is not understood would be a rule that silently is none."""
        for name in sorted(self._body.keys() - self._read):
            near = get_close_matches(name, self._read, n=1)
            self.blame(name, f"is not known {where}{f'; did you mean {near[0]}?' if near else '; take it out'}")

    def _value(self, name: str) -> object:
        self._read.add(name)
        return self._body.get(name)
