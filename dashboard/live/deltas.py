"""What changed between two bodies, and messages that every socket shares: written once, packed once."""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Body = Mapping[str, Mapping[str, Any]]
"""Sections of keyed rows: {"nodes": {id: {…}}, "edges": {id: {…}}}."""
Message = str | bytes
"""Text, or where that is long its UTF-8 as a zlib stream: compressing for each socket would cost a core."""
LONGEST_PLAIN = 1024


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


def snapshot(stream: str, seq: int, *, as_of: datetime | None, body: Body) -> Message:
    """The whole state as a message."""
    return _packed({"stream": stream, "seq": seq, "kind": "snapshot", "as_of": _iso(as_of), **body})


def delta(stream: str, seq: int, *, base: int, as_of: datetime | None, changed: Body) -> Message:
    """The change since the message `base` of the same stream."""
    return _packed({"stream": stream, "seq": seq, "base": base, "kind": "delta", "as_of": _iso(as_of), **changed})


def bell(of: str, seq: int) -> Message:
    """A list changed: who shows it fetches it."""
    return _packed({"stream": "bell", "seq": seq, "of": of})


def _fields(old: object, new: object) -> object:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    gone = {name: None for name in old if name not in new}
    return {**gone, **{name: value for name, value in new.items() if name not in old or old[name] != value}}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _packed(message: Mapping[str, Any]) -> Message:
    text = json.dumps(message, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text if len(text) <= LONGEST_PLAIN else zlib.compress(text.encode())
