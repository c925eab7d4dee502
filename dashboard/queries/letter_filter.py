"""The filter of dead letters: words, fields, "not" and "or" in a text, as one SQL condition.

`declined` in the message · `"two words"` · `topic:orders.*` `group:billing` `class:*Declined` `key:order-7`
`key:order-*` `dialect:spring` `origin:orders.created` · `attempt>=2` `age>1h` `expires<3h` · `-x` not
· space and · `or` or. A name in quotes is the whole name: `topic:"orders" cluster:"prod"`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from collector.domain.keys import key_hash
from collector.domain.texts import storable

MOST_TERMS, MOST_TEXT = 20, 400
MOST_READ = 100_000  # letters that are looked through for what no index knows
MOST_VALUES, MOST_VALUE = 10_000, 64_000  # letters whose values are looked through, and bytes of the largest of them
_TOKEN = re.compile(r'(-?)(?:([a-z]+)(:|>=|<=|>|<))?(?:"([^"]*)"|(\S+))')
_DURATION = re.compile(r"(\d{1,5})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class BadFilter(ValueError):
    """The text is no filter; the message says which term, and what would be one."""


class MayNotRead(BadFilter):
    """The text looks into payloads, and who typed it may not see any."""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL over the letters' rows (d, t, c, cg, o, g, s), its parameters, and the terms as people typed them.

    `is_bounded`: one of the terms has no index, so only the newest MOST_READ letters are looked through.
    `reads_values`: one of them is looked for in the newest MOST_VALUES values; who asks is written down.
    """

    sql: str
    parameters: Mapping[str, str | int | list[str]]
    terms: tuple[str, ...]
    is_bounded: bool = False
    reads_values: bool = False


def condition(text: str, *, masked: Sequence[str] = (), may_read: bool = False) -> Condition:
    """What the text asks for. Raises BadFilter. `may_read`: whether who asks may see payloads.

    Letters of `masked` topics are found by no word, no key and no value: whoever guesses one must learn nothing.
    """
    text = storable(text)[:MOST_TEXT].strip()
    alternatives: list[str] = []
    parts: list[str] = []
    parameters: dict[str, str | int | list[str]] = {}
    terms: list[str] = []
    is_bounded = reads_values = False
    for found in _TOKEN.finditer(text):
        term = found[0]
        if term == "or":
            alternatives.append(_all(parts))
            parts = []
            continue
        terms.append(term)
        if len(terms) > MOST_TERMS:
            raise BadFilter(f"At most {MOST_TERMS} terms.")
        negated, field = bool(found[1]), found[2] or ""
        if field == "payload" and not may_read:
            raise MayNotRead(f"`{term}` looks into payloads, which you may not see.")
        if field == "payload" and reads_values:
            raise BadFilter("Only one term can look into payloads: each reads many megabytes.")
        name = f"f{len(terms)}"
        sql, value = _said(found, name)
        parameters[name] = value
        if masked and (not field or field in _HIDEABLE):
            parameters["masked"] = list(masked)
            sql = f"({sql} and {_NOT_MASKED})"
        has_index = negated or _has_index(field, str(value))
        is_bounded |= not has_index
        reads_values |= field == "payload"
        parts.append(_bounded(sql, field, negated=negated, has_index=has_index))
    if reads_values and alternatives:
        raise BadFilter("`payload:` cannot stand beside `or`: search twice.")
    alternatives.append(_all(parts))
    whole = " or ".join(f"({each})" for each in alternatives)
    return Condition(whole, parameters, tuple(terms), is_bounded, reads_values)


def _said(found: re.Match[str], name: str) -> tuple[str, str | int]:
    _, field, sign, quoted, word = found.groups()
    if quoted is not None and sign == ":" and field in _WHOLE:
        return f"{_NAMES[field]} = %({name})s", quoted
    return _term(found[0], field or "", sign or "", quoted if quoted is not None else word, name)


def _bounded(sql: str, field: str, *, negated: bool, has_index: bool) -> str:
    """The condition of a term, for the newest letters alone where it would be looked for in all of them."""
    asked = sql if has_index else f"({sql} and {_NEWEST})"
    said = f"not coalesce({asked}, false)" if negated else asked
    return f"({_OF_VALUES} and {said})" if field == "payload" else said


_NEWEST = f"s.dead_letter_id > (select max(id) - {MOST_READ} from dead_letter)"  # noqa: S608  of a constant
_TRIGRAM = re.compile(r"[^\W_]{3}|^[^\W_%]", re.UNICODE)  # a run of three, or the beginning of the text


def _has_index(field: str, value: str) -> bool:
    """Whether a pattern holds what the index of trigrams is asked by; the other fields are of few rows, or numbers."""
    return field not in {"", "key"} or bool(_TRIGRAM.search(value)) or "%" not in value


_OF_VALUES = (  # S608: of constants
    f"s.dead_letter_id > (select max(id) - {MOST_VALUES} from dead_letter) and d.size_bytes <= {MOST_VALUE}"  # noqa: S608
)
# A scalar subquery, not "exists", which could be planned as a join with all bodies.
_IN_VALUE = (
    "position(convert_to(%({name})s, 'UTF8') in"
    " (select x.value from dead_letter_body x where x.dead_letter_id = s.dead_letter_id)) > 0"
)
_HIDEABLE = frozenset({"key", "title", "payload"})
_NOT_MASKED = "t.name <> all(%(masked)s) and coalesce(o.name, '') <> all(%(masked)s)"


def tokens(text: str) -> list[str]:
    """The terms of a text, and `or` between them, as people typed them."""
    return [found[0] for found in _TOKEN.finditer(storable(text)[:MOST_TEXT].strip())]


def of_topic(cluster: str, name: str) -> str:
    """The text that finds the letters in exactly this dead-letter topic."""
    return f'topic:"{name}" cluster:"{cluster}"'


def of_clusters(text: str, clusters: Collection[str]) -> str:
    """The same text for the letters of these clusters alone."""
    alternatives: list[list[str]] = [[]]
    for found in _TOKEN.finditer(text):
        if found[0] == "or":
            alternatives.append([])
        else:
            alternatives[-1].append(found[0])
    each = ([*terms, f'cluster:"{name}"'] for terms in alternatives for name in sorted(clusters))
    return " or ".join(" ".join(terms) for terms in each)


def _all(parts: list[str]) -> str:
    return " and ".join(parts) if parts else "true"


def _term(term: str, field: str, sign: str, value: str, name: str) -> tuple[str, str | int]:
    if not field:
        return f"d.message ilike %({name})s", f"%{_literal(value)}%"
    if sign == ":" and field == "payload":
        return _IN_VALUE.format(name=name), value
    if sign == ":" and field == "class":
        return _OF_CLASS.format(name=name), _pattern(value)
    if sign == ":" and field in _NAMES:
        if field == "key" and "*" not in value:
            return f"d.key_hash = %({name})s", key_hash(value.encode()) or 0
        held = "d.key_text" if field == "key" else f"coalesce({_NAMES[field]}, '')"
        return f"{held} ilike %({name})s", _pattern(value)
    if sign != ":" and field in _MEASURES:
        measure, read, example = _MEASURES[field]
        number = read(value)
        if number is None:
            raise BadFilter(f"`{term}` needs {example}.")
        return measure.format(sign=sign, name=name), number
    raise BadFilter(f"`{term}` is no field of dead letters. There are {', '.join(FIELDS)} and words of the message.")


def _seconds(value: str) -> int | None:
    found = _DURATION.fullmatch(value)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def _count(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else None


_NAMES = {
    "topic": "t.name",
    "origin": "o.name",
    "cluster": "c.name",
    "group": "cg.name",
    "class": "d.exception_class",
    "key": "d.key_text",
    "dialect": "d.dialect",
    "title": "g.title",
}
# There are few groups and many letters: the groups come first, also those that merged ones lead to.
_OF_CLASS = (
    "(s.failure_group_id in (select coalesce(x.merged_into, x.emptied_into, x.id) from failure_group x"
    "  where x.exception_class ilike %({name})s) and d.exception_class ilike %({name})s)"
)
_WHOLE = frozenset({"topic", "origin", "cluster", "group"})  # fields whose value in quotes is the whole name
_MEASURES: Mapping[str, tuple[str, Callable[[str], int | None], str]] = {
    "attempt": ("s.attempt {sign} %({name})s", _count, "a number, as in `attempt>=2`"),
    "age": ("now() - d.failed_at {sign} make_interval(secs => %({name})s)", _seconds, "a unit: try `age>1h`"),
    "expires": (
        "(d.expires_at > now() and d.expires_at - now() {sign} make_interval(secs => %({name})s))",
        _seconds,
        "a unit: try `expires<3h`",
    ),
}
FIELDS = (*(f"{name}:" for name in _NAMES), "payload:", *(f"{name}>" for name in _MEASURES))


def _pattern(value: str) -> str:
    """A glob as people write it; without a star the name holds it."""
    literal = _literal(value)
    return literal.replace("*", "%") if "*" in value else f"%{literal}%"


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
