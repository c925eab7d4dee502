"""The JSON value of a record, read with limits; None where it is none, or none that can be trusted."""

import json
from typing import Any

MOST_BYTES = 2_000_000
MOST_DEPTH = 64
MOST_TOKENS = 200_000  # values and names of members: more is no payload that somebody reads, and takes seconds
Json = Any  # what json.loads gives


class NotJson(ValueError):
    """No JSON, too large, too many values, nested too deep, a name twice in one object, or what JSON does not have."""


def loads(raw: bytes | str) -> Json:
    """The value. Raises NotJson. A repeated name is refused: readers do not agree which of the two counts."""
    if len(raw) > MOST_BYTES or _tokens_beyond(raw, MOST_TOKENS):
        raise NotJson(NotJson.__doc__)
    try:
        found = json.loads(raw, object_pairs_hook=_members, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotJson(NotJson.__doc__) from None
    if is_too_deep(found):
        raise NotJson(NotJson.__doc__)
    return found


def dumps(value: Json) -> str:
    """Compact text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def may_be_json(raw: bytes | str) -> bool:
    """Whether it begins like an object or an array: worth a try."""
    first = raw[:64].lstrip()[:1]
    return first in (b"{", b"[", "{", "[")


def leaves(value: Json) -> list[str]:
    """The texts of everything below that is no container; names are none."""
    found, waiting = [], [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif each is not None and not isinstance(each, bool):
            found.append(each if isinstance(each, str) else json.dumps(each))
    return found


def is_too_deep(value: Json) -> bool:
    """Whether it is nested deeper than any payload that somebody reads."""
    level = [value]
    for _ in range(MOST_DEPTH + 1):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _tokens_beyond(raw: bytes | str, most: int) -> bool:
    """Counted without decoding: each value and each name stands behind one of these, once texts are away."""
    if (sum(map(raw.count, "[{,:")) if isinstance(raw, str) else sum(map(raw.count, b"[{,:"))) <= most:
        return False
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    bare = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])  # what stands between texts
    return sum(map(bare.count, "[{,:")) > most


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotJson(NotJson.__doc__)
    return made


def _refuse(_constant: str) -> Json:
    raise NotJson(NotJson.__doc__)
