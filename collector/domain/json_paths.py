"""Paths into JSON that people write: $.customer.id, $.items[*].sku, $['a b'], $..iban; no filters, no scripts."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

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
    """Everything at the path, in order."""
    seen: list[Json] = []

    def note(value: Json) -> Json:
        seen.append(value)
        return value

    changed(tree, path, note)
    yield from seen


def changed(tree: Json, path: Path, change: Callable[[Json], Json]) -> Json:
    """A copy of `tree` in which everything at the path is what `change` makes of it; GONE takes it out."""
    if not path:
        return change(tree)
    step, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return _changed_members(tree, step, path, rest, change)
    if isinstance(tree, list):
        return _changed_items(tree, step, path, rest, change)
    return tree


def _changed_members(
    tree: dict[str, Any], step: Step, path: Path, rest: Path, change: Callable[[Any], Any]
) -> dict[str, Any]:
    made = {}
    for name, value in tree.items():
        held = value
        if step.kind == "all" or (step.kind in {"name", "deep"} and name == step.name):
            held = changed(held, rest, change)
        if step.kind == "deep" and held is not GONE:
            held = changed(held, path, change)
        if held is not GONE:
            made[name] = held
    return made


def _changed_items(tree: list[Any], step: Step, path: Path, rest: Path, change: Callable[[Any], Any]) -> list[Any]:
    made = []
    for number, value in enumerate(tree):
        held = value
        if step.kind == "all" or (step.kind == "index" and number == step.index):
            held = changed(held, rest, change)
        elif step.kind == "deep":
            held = changed(held, path, change)
        if held is not GONE:
            made.append(held)
    return made


def _step(found: re.Match[str]) -> Step:
    if found["deep"]:
        return Step("deep", found["deep"])
    if found["quoted"]:
        return Step("name", found["quoted"])
    name = found["name"] or found["index"]
    if name == "*":
        return Step("all")
    return Step("name", name) if found["name"] else Step("index", index=int(name))
