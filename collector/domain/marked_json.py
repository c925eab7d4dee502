"""JSON of which parts are hidden, as a text that a person edits: each hidden part is a numbered mark in its place.

Everything else stays as it was written, to the character: numbers keep their digits, members their order.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collector.domain.masking import MASK

Steps = tuple[str | int, ...]  # names and indexes from the top
_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


class MarkMoved(ValueError):
    """A mark stays in its place: what is behind it must not come to where others may see it."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The text with its marks, and what is behind each: where it stands, and the text that stood there."""

    text: str
    behind: Mapping[str, tuple[Steps, str]]


def marked(text: str, seen: Any) -> Marked:  # noqa: ANN401  what json.loads gives
    """The text with marks where `seen`, the same value as people may see it, differs. Raises MarkMoved."""
    hidden = set(_differing(json.loads(text), seen, ()))
    behind: dict[str, tuple[Steps, str]] = {}
    pieces, at = [], 0
    for steps, start, end in _spans(text, 0, ()):
        if steps in hidden:
            mark = f"{MASK} {len(behind) + 1}"
            behind[mark] = steps, text[start:end]
            pieces += [text[at:start], json.dumps(mark, ensure_ascii=False)]
            at = end
    return Marked("".join([*pieces, text[at:]]), behind)


def unmarked(typed: str, behind: Mapping[str, tuple[Steps, str]]) -> str:
    """The edited text with what was behind its marks. Raises MarkMoved, and ValueError for what is no JSON."""
    json.loads(typed)
    waiting = dict(behind)
    pieces, at = [], 0
    for steps, start, end in _spans(typed, 0, ()):
        if typed[start] != '"' or MASK not in (said := json.loads(typed[start:end])):
            continue
        place, text = waiting.pop(said, (None, ""))
        if place != steps:
            raise MarkMoved(f"`{MASK} …` stands where it did not before. {MarkMoved.__doc__}")
        pieces += [typed[at:start], text]
        at = end
    if waiting:
        raise MarkMoved(f"`{next(iter(waiting))}` is gone. {MarkMoved.__doc__}")
    return "".join([*pieces, typed[at:]])


def _differing(whole: Any, seen: Any, steps: Steps) -> Iterator[Steps]:  # noqa: ANN401
    if isinstance(whole, dict) and isinstance(seen, dict):
        if whole.keys() != seen.keys():
            raise MarkMoved("Names of members are masked: this cannot be edited.")
        for name, held in whole.items():
            yield from _differing(held, seen[name], (*steps, name))
    elif isinstance(whole, list) and isinstance(seen, list) and len(whole) == len(seen):
        for index, held in enumerate(whole):
            yield from _differing(held, seen[index], (*steps, index))
    elif whole != seen:
        yield steps


def _spans(text: str, at: int, steps: Steps) -> Iterator[tuple[Steps, int, int]]:
    """Where each value stands, members before what holds them; a value's end is the one that was yielded last."""
    at = _beyond_space(text, at)
    start = at
    if text[at] not in "{[":
        at = _DECODER.raw_decode(text, at)[1]
        yield steps, start, at
        return
    closing = "}" if text[at] == "{" else "]"
    at = _beyond_space(text, at + 1)
    index = 0
    while text[at] != closing:
        step: str | int = index
        if closing == "}":
            step, at = _DECODER.raw_decode(text, at)
            at = _beyond_space(text, at) + 1  # the colon
        end = at
        for found, first, end in _spans(text, at, (*steps, step)):
            yield found, first, end
        at = _beyond_space(text, end)
        at = _beyond_space(text, at + 1) if text[at] == "," else at
        index += 1
    yield steps, start, at + 1


def _beyond_space(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
