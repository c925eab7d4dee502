"""Times as people write them."""

import re

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(ms|s|min|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def seconds_of(text: str) -> float | None:
    """A time (30 s, 3 min 10 s, 500ms) in seconds; None where it is none, or has no unit."""
    words = text.strip()
    if not words or not re.fullmatch(rf"{_DURATION.pattern}(?: {_DURATION.pattern})?", words, re.ASCII):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(words))
