"""Settings of topics as people say them: 7 d beside 604800000, 1.1 GB beside 1073741824."""

from collections.abc import Mapping

from dashboard.queries.marks import Change, Mark
from dashboard.templatetags import formats

_FOR_EVER = "no limit"


def in_words(name: str, value: str | None) -> str:
    """A time or a size in words; empty where the value says it itself."""
    number = value or ""
    if not number.removeprefix("-").isascii() or not number.removeprefix("-").isdigit() or len(number) > 19:
        return ""
    is_time, is_size = name.endswith(".ms"), name.endswith(".bytes")
    if number.startswith("-"):  # a number with a meaning of its own, such as -2: as another setting says
        return _FOR_EVER if number == "-1" and name.startswith("retention.") else ""
    if is_time:
        return _FOR_EVER if len(number) > 15 else formats.duration(int(number) / 1000)
    return formats.size(int(number)) if is_size else ""


def told(mark: Mark) -> str:
    """The sentence of a change, the values of a setting in words where these differ."""
    if not mark.changes:
        return mark.sentence
    more = f" and {len(mark.changes) - 1} more" if len(mark.changes) > 1 else ""
    return f"{mark.who}: {_change(mark.changes[0])}{more}"


def _change(change: Change) -> str:
    words = [in_words(change.name, value) for value in (change.before, change.after)]
    plain = [value or "not set" for value in (change.before, change.after)]
    before, after = [said or bare for said, bare in zip(words, plain, strict=True)]
    if before == after:  # rounded to the same
        before, after = plain
    return f"{change.name} {before} → {after}"


def value_of(name: str, value: str | None) -> Mapping[str, str]:
    """A value, and what it is in words."""
    return {"value": "not set" if value is None else value, "words": in_words(name, value)}
