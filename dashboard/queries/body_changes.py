"""What changed between two bodies, as a reader of the first must merge it: for live messages and frames of a replay."""

from collections.abc import Mapping
from typing import Any

Body = Mapping[str, Mapping[str, Any]]
"""Sections of keyed rows: {"nodes": {id: {…}}, "edges": {id: {…}}}."""


def changes(before: Body, after: Body) -> dict[str, dict[str, Any]]:
    """What a reader of `before` must merge to have `after`.

    A row that is gone is None; a row that changed has only the fields that did, a field that is gone is None. A row
    that is not an object is sent whole.
    """
    found = {}
    for section in {**before, **after}:
        old, new = before.get(section, {}), after.get(section, {})
        rows: dict[str, Any] = {key: None for key in old if key not in new}
        for key, row in new.items():
            if key not in old:
                rows[key] = row
            elif old[key] != row:
                rows[key] = _fields(old[key], row)
        if rows:
            found[section] = rows
    return found


def _fields(old: object, new: object) -> object:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    gone = {name: None for name in old if name not in new}
    return {**gone, **{name: value for name, value in new.items() if name not in old or old[name] != value}}
