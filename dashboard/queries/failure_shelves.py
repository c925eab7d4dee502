"""Groups of failures below what they have in common: a consumer group, a topic, an exception, a service's version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.queries.failure_facts import Facts
from dashboard.queries.failure_groups import FailureGroup

Held = tuple[FailureGroup, Facts | None]
KINDS: Mapping[str, Callable[[FailureGroup], str | None]] = {
    "group": lambda one: one.group,
    "topic": lambda one: one.topic,
    "class": lambda one: one.exception_class,
    "version": lambda one: ", ".join(one.versions),
}
KIND_WORDS = (
    ("", "Failure"),
    ("group", "Consumer group"),
    ("topic", "Topic"),
    ("class", "Exception"),
    ("version", "Service version"),
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Failure groups that have something in common; "?" is what nobody knows."""

    name: str
    cluster: str
    groups: tuple[Held, ...]

    @property
    def n_open(self) -> int:
        """Open letters of all of them."""
        return sum(group.n_open for group, _ in self.groups)


def shelves(found: Sequence[Held], by: str) -> tuple[Shelf, ...]:
    """The groups below what `by` names (one of KINDS), most open letters first; each keeps the order of `found`."""
    held: dict[tuple[str, str], list[Held]] = {}
    for group, facts in found:
        held.setdefault((KINDS[by](group) or "?", group.cluster or ""), []).append((group, facts))
    made = (Shelf(name, cluster, tuple(inside)) for (name, cluster), inside in held.items())
    return tuple(sorted(made, key=lambda one: -one.n_open))
