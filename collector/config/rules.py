"""Declared rules as the domain uses them; the masks that stand, remembered for a moment."""

import threading
import time
from collections.abc import Mapping

from collector.config import declared
from collector.config.document import Document, Rule
from collector.domain import json_paths, masking
from collector.domain.dialects import LetterMapping, mapped
from collector.domain.masking import Aim, Rules

KEEP_SECONDS = 3.0  # a new rule hides within this time


def drops(document: Document) -> Rules:
    """What is dropped before it is stored."""
    return Rules(_rules(document.drops))


def masks(document: Document) -> Rules:
    """What nobody gets to see."""
    return Rules(_rules(document.masks))


def hidden(document: Document) -> Rules:
    """What nobody gets to see of dead letters: they are kept whole, so what is dropped elsewhere is masked there."""
    return Rules((*_rules(document.masks), *_rules(document.drops)))


def _rules(declared_rules: Mapping[str, Rule]) -> tuple[masking.Rule, ...]:
    return tuple(
        masking.Rule(
            rule.topics,
            Aim(
                tuple(json_paths.parse(path) for path in rule.paths),
                frozenset(rule.headers),
                rule.key,
                frozenset(rule.attributes),
            ),
            rule.name,
        )
        for rule in declared_rules.values()
    )


class Standing:
    """The rules by which pages and API hide and read dead letters, taken up again every few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules = Rules()
        self._mappings: tuple[LetterMapping, ...] = ()
        self._until = 0.0

    def rules(self) -> Rules:
        """Now. At most one statement; none where they were read a moment ago."""
        self._read()
        return self._rules

    def mapping_of(self, topic: str) -> LetterMapping | None:
        """What an admin said of a topic that holds dead letters. Statements as `rules`."""
        self._read()
        return mapped.fitting(self._mappings, topic)

    def _read(self) -> None:
        if time.monotonic() < self._until:
            return
        document = declared.document()
        found = hidden(document)
        with self._lock:
            if found.all != self._rules.all:
                self._rules = found
            self._mappings = tuple(document.letters.values())
            self._until = time.monotonic() + KEEP_SECONDS

    def pin(self, rules: Rules, *, seconds: float) -> None:
        """Keep these for so long."""
        with self._lock:
            self._rules, self._until = rules, time.monotonic() + seconds


standing = Standing()
