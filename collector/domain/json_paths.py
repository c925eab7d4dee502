"""Paths into JSON that people write: $.customer.id, $.items[*].sku, $['a b'], $..iban; no filters, no scripts."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from collector.domain.json_values import leaves

MOST_CHARACTERS, MOST_STEPS = 200, 16
Json = Any  # what json.loads gives
GONE = object()
"""What a change returns for a member that shall not be there any more."""

_STEP = re.compile(
    r"""\.\.(?P<deep>[^\s.\[\]'"*]+)
      | \.(?P<name>[^\s.\[\]'"*]+|\*)
      | \['(?P<quoted>[^']+)'\]
      | \[(?P<index>\*|0|[1-9][0-9]{0,8})\]""",
    re.VERBOSE,
)


_PLAIN = re.compile(r"""[^\s.\[\]'"*]+""")


class NotAPath(ValueError):
    """A path starts with $ and goes on with .name, ['a name'], [0], [*], .* or ..name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a member by name, an item by number, every child ("all"), or a name at any depth ("deep")."""

    kind: Literal["name", "index", "all", "deep"]
    name: str = ""
    index: int = 0


Path = tuple[Step, ...]
_ONE = ("name", "index")  # kinds of steps that lead to one child
_Begun = tuple[int, ...]  # numbers of steps taken so far: several, where names at any depth are looked for


@lru_cache(maxsize=1_024)
def parse(text: str) -> Path:
    """The steps of a path. Raises NotAPath."""
    if not text.startswith("$") or len(text) > MOST_CHARACTERS:
        raise NotAPath(NotAPath.__doc__)
    steps, at = [], 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise NotAPath(NotAPath.__doc__)
        steps.append(_step(found))
        at = found.end()
    if not 0 < len(steps) <= MOST_STEPS:
        raise NotAPath(NotAPath.__doc__)
    return tuple(steps)


def written(path: Path) -> str:
    """The path as people write it: what `parse` reads as just this."""
    return "$" + "".join(_written(step) for step in path)


def _written(step: Step) -> str:
    if step.kind == "index":
        return f"[{step.index}]"
    if step.kind == "all":
        return "[*]"
    if step.kind == "deep":
        return f"..{step.name}"
    return f".{step.name}" if _PLAIN.fullmatch(step.name) else f"['{step.name}']"


def found(tree: Json, path: Path) -> Iterator[Json]:
    """Everything at the path, in order, each place once."""
    seen: list[Json] = []

    def note(value: Json) -> Json:
        seen.append(value)
        return value

    changed(tree, path, note)
    yield from seen


def texts(tree: Json, path: Path) -> list[str]:
    """The texts of all leaves at the path, and below it."""
    return [text for each in found(tree, path) for text in leaves(each)]


def changed(tree: Json, path: Path, change: Callable[[Json], Json]) -> Json:
    """A copy of `tree` in which everything at the path is what `change` makes of it; GONE takes it out.

    Each place is looked at once, however many ways lead there: several ..name would take for ever otherwise. What
    `change` made is not looked into.
    """
    return _changed(tree, path, (0,), change)


def _changed(node: Json, path: Path, begun: _Begun, change: Callable[[Json], Json]) -> Json:
    if isinstance(node, dict):
        return dict(_kept(node.items(), path, begun, change))
    if isinstance(node, list):
        return [held for _, held in _kept(enumerate(node), path, begun, change)]
    return node


def _kept(
    children: Iterable[tuple[str | int, Json]], path: Path, begun: _Begun, change: Callable[[Json], Json]
) -> Iterator[tuple[Any, Json]]:
    first = path[begun[0]]
    only = (first.index if first.kind == "index" else first.name) if len(begun) == 1 and first.kind in _ONE else None
    for place, value in children:
        if only is not None and place != only:
            yield place, value
            continue
        further, is_there = _reached(path, begun, place)
        held = change(value) if is_there else value
        if further and held is value:
            held = _changed(value, path, further, change)
        if held is not GONE:
            yield place, held


def _reached(path: Path, begun: _Begun, place: str | int) -> tuple[_Begun, bool]:
    """How many steps lead to a child, from what led to what holds it; and whether all do."""
    further, is_there = [], False
    for n_steps in begun:
        step = path[n_steps]
        is_deep = step.kind == "deep"
        if is_deep and n_steps not in further:
            further.append(n_steps)
        if step.kind == "all" or (place == step.index if step.kind == "index" else place == step.name):
            if n_steps + 1 == len(path):
                is_there = True
            elif n_steps + 1 not in further:
                further.append(n_steps + 1)
    return tuple(further), is_there


def _step(found: re.Match[str]) -> Step:
    if found["deep"]:
        return Step("deep", found["deep"])
    if found["quoted"]:
        return Step("name", found["quoted"])
    name = found["name"] or found["index"]
    if name == "*":
        return Step("all")
    return Step("name", name) if found["name"] else Step("index", index=int(name))
