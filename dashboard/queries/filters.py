"""The filter language of lists and of the graph (ux: 2.4): plain words, fields, and numbers with their unit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import eq, ge, gt, le, lt

from collector.domain import positions

MOST_CHARACTERS = 400
_TERM = re.compile(r'-?(?:[^\s"]|"[^"]*(?:"|$))+')
_NUMBER = re.compile(r"(lag|rate|failed)(>=|<=|>|<|=)(\d+(?:\.\d+)?)(.*)", re.ASCII)
_COMPARE = {">": gt, ">=": ge, "<": lt, "<=": le, "=": eq}
_UNITS = {
    "lag": {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "msg": 1.0},
    "rate": {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600},
    "failed": {"%": 0.01},
}
_TRY = {"lag": ("s", "msg"), "rate": ("/s", "/min"), "failed": ("%",)}
_VALUES = {
    "health": ("bad", "failing", "degraded", "ok", "idle", "unknown"),
    "known": ("traced", "offsets", "membership", "declared", "sampled"),
    "is": ("idle", "guessed", "at-risk"),
    "has": ("dead-letters",),
    "changed": ("yes",),
    "verdict": ("ok", "slow", "stalled", "stopped", "rewound", "rebalancing", "no-commits"),
}
_NAMES = ("topic", "service", "group", "version", "domain")
_EVENT = "event"


class BadFilter(ValueError):
    """A term cannot be understood; the text is the sentence for the person."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a filter is asked about. None is unknown: no comparison holds for it.

    `tied`: names of what belongs to it, by field (the topics of a group, the version of a service).
    """

    kind: str
    name: str
    health: str
    evidence: frozenset[str] = frozenset()
    lag: int | None = None
    lag_seconds: float | None = None
    rate: float | None = None
    failed: float | None = None
    n_dead_letters: int = 0
    guessed: bool = False
    at_risk: bool = False
    changed: bool = False
    verdicts: frozenset[str] = frozenset()
    tied: frozenset[tuple[str, str]] = frozenset()
    events: frozenset[str] = frozenset()  # those on whose path it lies, in lower case


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that all must hold, or another row of terms: `or` binds looser than the space."""

    rows: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is asked at all."""
        return bool(self.rows)

    def matches(self, subject: Subject) -> bool:
        """Whether one of the rows holds for `subject`. An empty filter holds for everything."""
        return not self.rows or any(all(_holds(term, subject) for term in row) for row in self.rows)


def terms(text: str) -> list[str]:
    """The terms of a filter as they were written, `or` among them."""
    return _TERM.findall(text[:MOST_CHARACTERS])


def vocabulary() -> tuple[str, ...]:
    """What a term may begin with, and every value that is known: for whoever completes what a person types."""
    named = [f"{name}:" for name in (*_NAMES, _EVENT)]
    valued = [f"{name}:{value}" for name, values in _VALUES.items() for value in values]
    return (*named, *valued, *(f"{field}>" for field in _UNITS))


def parse(text: str) -> Filter:
    """The filter that `text` says. Raises BadFilter with the sentence that names the term and what to try."""
    rows: list[tuple[str, ...]] = []
    row: list[str] = []
    for term in terms(text.lower()):
        if term == "or":
            rows.append(tuple(row))
            row = []
        else:
            _check(term.removeprefix("-"))
            row.append(term)
    rows.append(tuple(row))
    return Filter(tuple(row for row in rows if row))


def parsed(text: str) -> tuple[Filter, str]:
    """What `text` asks for; or a filter that holds for everything, and the sentence that says what is wrong with it."""
    try:
        return parse(text), ""
    except BadFilter as error:
        return Filter(), str(error)


def _check(term: str) -> None:
    if found := re.match(r"(lag|rate|failed)[<>=]", term):
        _number(term, found[1])
        return
    field, colon, value = term.partition(":")
    if not colon or term.startswith('"') or field in _NAMES:
        return
    if field == _EVENT:
        if positions.parse(value) is None:
            raise BadFilter(f"“{term}” needs a position: try event:orders.created/7/88123.")
        return
    if field not in _VALUES:
        fields = ", ".join(f"{name}:" for name in (*_NAMES, *_VALUES))
        raise BadFilter(f"“{field}:” is no field. Try {fields} or put the words in quotes.")
    if value not in _VALUES[field]:
        raise BadFilter(f"“{term}”: {field} is one of {', '.join(_VALUES[field])}.")


def _number(term: str, field: str) -> None:
    found = _NUMBER.fullmatch(term)
    if found is None:
        raise BadFilter(f"“{term}” needs a number with its unit: try {field}>1{_TRY[field][0]}.")
    if found[4] not in _UNITS[field]:
        examples = " or ".join(f"{field}{found[2]}{found[3]}{unit}" for unit in _TRY[field])
        raise BadFilter(f"“{term}” needs a unit: try {examples}.")


def _holds(term: str, subject: Subject) -> bool:
    wanted = term.removeprefix("-")
    return _hit(wanted, subject) is not term.startswith("-")


def _hit(term: str, subject: Subject) -> bool:
    if found := _NUMBER.fullmatch(term):
        return _compares(found, subject)
    field, colon, value = term.partition(":")
    if not colon or term.startswith('"'):
        return term.replace('"', "") in subject.name.lower()
    if field in _NAMES:
        names = {subject.name} if subject.kind == field else set()
        names |= {name for tie, name in subject.tied if tie == field}
        return any(fnmatchcase(name.lower(), value.replace('"', "")) for name in names)
    if field == _EVENT:
        return value in subject.events
    return _facts(subject)[field, value]


def _facts(subject: Subject) -> Mapping[tuple[str, str], bool]:
    facts = {("health", level): subject.health == level for level in _VALUES["health"]}
    facts |= {("known", word): word in subject.evidence for word in _VALUES["known"]}
    verdicts = {verdict.lower().replace(" ", "-") for verdict in subject.verdicts}
    facts |= {("verdict", word): word in verdicts for word in _VALUES["verdict"]}
    return facts | {
        ("health", "bad"): subject.health in {"failing", "degraded"},
        ("is", "idle"): subject.health == "idle",
        ("is", "guessed"): subject.guessed,
        ("is", "at-risk"): subject.at_risk,
        ("has", "dead-letters"): subject.n_dead_letters > 0,
        ("changed", "yes"): subject.changed,
    }


def _compares(found: "re.Match[str]", subject: Subject) -> bool:
    field, sign, number, unit = found.groups()
    value = {
        "lag": subject.lag if unit == "msg" else subject.lag_seconds,
        "rate": subject.rate,
        "failed": subject.failed,
    }[field]
    return value is not None and bool(_COMPARE[sign](value, float(number) * _UNITS[field][unit]))
