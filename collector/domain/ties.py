"""Which hop comes from which, and how that is known."""

from collections.abc import Sequence
from typing import Literal

from collector.domain.readings import HopKey

How = Literal[
    "position", "parent", "link", "traceparent", "copied traceparent", "causation id", "dead letter headers", "retry"
]
"""position: two parties name the same record. traceparent: the record carries the context of a span of its writer.
copied traceparent: it carries the context of another record's sender, so a service without spans handed it on."""


class Ties:
    """A tie is kept once, with everything that speaks for it."""

    def __init__(self) -> None:
        self._causes: dict[HopKey, dict[HopKey, dict[How, None]]] = {}
        self._effects: dict[HopKey, dict[HopKey, None]] = {}

    def tie(self, effect: HopKey, cause: HopKey, *known_by: How) -> None:
        """Note that `effect` comes from `cause`. Nothing comes from itself."""
        if effect != cause:
            self._causes.setdefault(effect, {}).setdefault(cause, {}).update(dict.fromkeys(known_by))
            self._effects.setdefault(cause, {})[effect] = None

    def untie(self, effect: HopKey) -> None:
        """Take back whatever was said of where `effect` comes from."""
        for cause in self._causes.pop(effect, {}):
            del self._effects[cause][effect]

    def causes_of(self, key: HopKey) -> Sequence[HopKey]:
        """What a hop comes from."""
        return list(self._causes.get(key, ()))

    def effects_of(self, key: HopKey) -> Sequence[HopKey]:
        """What came of a hop."""
        return list(self._effects.get(key, ()))

    def known_by(self, key: HopKey) -> tuple[How, ...]:
        """How the causes of a hop are known, all of them together."""
        found: dict[How, None] = {}
        for words in self._causes.get(key, {}).values():
            found.update(words)
        return tuple(found)
