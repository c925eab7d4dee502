"""What a person asks of the graph, from the address: what is found, hidden, shown, in focus, grouped, selected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dashboard.queries import view
from dashboard.queries.chips import Chip, chips
from dashboard.queries.filters import BadFilter, Filter, parse, terms
from dashboard.queries.grouping import BYS
from dashboard.queries.narrowing import FLOWS, HOPS, USUAL_FLOW, USUAL_HOPS, Focus, Shown

LABELS = (
    ("rate", "Rate"),
    ("wait-p50", "Queue wait p50"),
    ("wait-p95", "Queue wait p95"),
    ("lag", "Lag"),
    ("failed", "Failed"),
    ("none", "None"),
)
_SWITCHES = {"idle": "idle", "internal": "internal", "traffic": "traffic"}
_ON = {"dead-letters": "dead_letters", "retry": "retry"}
_MOST_OPEN = 50


class Query(Protocol):
    """The parameters of an address."""

    def get(self, name: str, default: str, /) -> str: ...
    def getlist(self, name: str, /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """How the person narrowed the graph; a filter that is wrong narrows nothing and says why.

    `selected`: at most two ids, of nodes, groups of nodes, or one edge (`edge:…`).
    """

    find: str
    hide: str
    focus: Focus | None
    filters: tuple[Filter, Filter]
    problems: tuple[str, ...]
    grouped: view.Asked
    shown: Shown
    selected: tuple[str, ...]
    label: str

    @property
    def chips(self) -> tuple[tuple[str, tuple[Chip, ...]], ...]:
        """The terms of both filters, by the name of their parameter."""
        return tuple((name, _chips(text)) for name, text in (("find", self.find), ("hide", self.hide)) if text.strip())

    @property
    def is_part(self) -> bool:
        """Whether a part of the graph is asked for, so that it is drawn on its own."""
        return self.focus is not None


def asked(query: Query) -> Asked:
    """From the parameters find, hide, focus, hops, flow, by, open, show, sel, label."""
    problems, filters = [], []
    for name in ("find", "hide"):
        try:
            filters.append(parse(query.get(name, "")))
        except BadFilter as error:
            filters.append(Filter())
            problems.append(f"{name.capitalize()}: {error}")
    hops, flow, by, label = (query.get(name, "") for name in ("hops", "flow", "by", "label"))
    focus = Focus(
        query.get("focus", ""),
        int(hops) if hops in {str(number) for number in HOPS} else USUAL_HOPS,
        flow if flow in FLOWS else USUAL_FLOW,
    )
    return Asked(
        query.get("find", ""),
        query.get("hide", ""),
        focus if focus.id else None,
        (filters[0], filters[1]),
        tuple(problems),
        view.Asked(by if by in BYS else None, tuple(query.getlist("open")[:_MOST_OPEN])),
        _shown(query.get("show", "")),
        tuple(dict.fromkeys(each for each in query.getlist("sel") if each))[:2],
        label if label in dict(LABELS) else "rate",
    )


def is_long(query: Query) -> bool:
    """Whether two moments are compared, or paths of events read: then an answer costs several graphs."""
    return bool(query.get("vs", "")) or any("event:" in query.get(name, "").lower() for name in ("find", "hide"))


def toggled(shown: Shown, name: str) -> str | None:
    """The parameter `show` with one switch turned; None where all stand as usual."""
    words = []
    for word, attribute in {**_SWITCHES, **_ON}.items():
        value = getattr(shown, attribute) is not (word == name)
        if value is not (word in _ON):
            words.append(word if value else f"-{word}")
    return ",".join(words) or None


def switches(shown: Shown) -> tuple[tuple[str, bool], ...]:
    """Every switch of the menu Show, and whether it is on."""
    return tuple((word, getattr(shown, attribute)) for word, attribute in {**_SWITCHES, **_ON}.items())


def _shown(text: str) -> Shown:
    words = set(text.split(","))
    return Shown(
        **{attribute: word in words for word, attribute in _SWITCHES.items()},
        **{attribute: f"-{word}" not in words for word, attribute in _ON.items()},
    )


def _chips(text: str) -> tuple[Chip, ...]:
    return chips(["or" if term.lower() == "or" else term for term in terms(text)])
