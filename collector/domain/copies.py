"""Copies of masked texts, wherever else in a record they stand: as they are, and as JSON writes them.

The work grows with the record, never with its size times the number of its masked texts: a producer sets both.
"""

from collections import deque
from collections.abc import Callable, Collection
from functools import lru_cache

from collector.domain import json_values

MASK = "•••"
FEW = 64  # texts that are looked for one after the other
MOST_CHARACTERS = 100_000  # of more texts than a few, in all their forms: beyond, nothing beside them is shown

_Clean = Callable[[str], str]


class Copies:
    """What hides a record's masked texts. Where there are too many of them to look for, every text hides."""

    def __init__(self, secrets: Collection[str]) -> None:
        self.secrets = tuple(secrets)
        self._clean = _cleaner(self.secrets) if self.secrets else _same

    def __bool__(self) -> bool:
        return bool(self.secrets)

    @property
    def are_too_many(self) -> bool:
        return self._clean is _hidden

    def without(self, text: str) -> str:
        """The text without the copies."""
        return self._clean(text)


@lru_cache(maxsize=2)  # a record's texts come one after the other; what finds many is too large to be kept for each
def _cleaner(secrets: tuple[str, ...]) -> _Clean:
    is_few = len(secrets) <= FEW
    if not is_few and sum(map(len, secrets)) > MOST_CHARACTERS:
        return _hidden
    longest_first = sorted(secrets, key=len, reverse=True)
    forms = list(dict.fromkeys(form for each in longest_first for form in (json_values.dumps(each)[1:-1], each)))
    if is_few:
        return lambda text: _replaced(text, forms)
    return _hidden if sum(map(len, forms)) > MOST_CHARACTERS else _Finder(forms).without


def _same(text: str) -> str:
    return text


def _hidden(text: str) -> str:
    return MASK if text else text


def _replaced(text: str, forms: Collection[str]) -> str:
    for form in forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


class _Finder:
    """Aho and Corasick's automaton: all forms are found in one walk over a text, those that overlap, too."""

    def __init__(self, forms: Collection[str]) -> None:
        self._steps: list[dict[str, int]] = [{}]
        self._lengths = [0]  # of the longest form that ends in a state
        self._has_marks = any(MASK[0] in form for form in forms)
        for form in forms:
            self._add(form)
        self._fallbacks = [0] * len(self._steps)
        self._link()

    def without(self, text: str) -> str:
        """The text without the forms; overlapping ones hide as one."""
        cleaned = self._once(text)
        if self._has_marks and cleaned != text and self._once(cleaned) != cleaned:
            return MASK  # the masks make a form with what they left
        return cleaned

    def _once(self, text: str) -> str:
        shown, at = [], 0
        for start, end in self._spans(text):
            shown += [text[at:start], MASK]
            at = end
        return "".join((*shown, text[at:])) if shown else text

    def _spans(self, text: str) -> list[tuple[int, int]]:
        steps, lengths, fallbacks = self._steps, self._lengths, self._fallbacks
        found: list[tuple[int, int]] = []
        state = 0
        for end, sign in enumerate(text, 1):
            while state and sign not in steps[state]:
                state = fallbacks[state]
            state = steps[state].get(sign, 0)
            if lengths[state]:
                start = end - lengths[state]
                while found and found[-1][1] > start:
                    start = min(start, found.pop()[0])
                found.append((start, end))
        return found

    def _add(self, form: str) -> None:
        state = 0
        for sign in form:
            further = self._steps[state].setdefault(sign, len(self._steps))
            if further == len(self._steps):
                self._steps.append({})
                self._lengths.append(0)
            state = further
        self._lengths[state] = len(form)

    def _link(self) -> None:
        """From each state to that of its longest end that begins a form, too."""
        waiting = deque(self._steps[0].values())
        while waiting:
            state = waiting.popleft()
            for sign, further in self._steps[state].items():
                back = self._fallbacks[state]
                while back and sign not in self._steps[back]:
                    back = self._fallbacks[back]
                back = self._steps[back].get(sign, 0)
                self._fallbacks[further] = back
                self._lengths[further] = self._lengths[further] or self._lengths[back]
                waiting.append(further)
