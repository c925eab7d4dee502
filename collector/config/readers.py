"""In which group a service reads, where its spans do not say it: as people declare it, one table each."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from collector.config.tables import Table, glob_problem, service_of
from collector.domain.globs import matches

GroupOf = Callable[[tuple[str, str], str], str | None]
"""The group in which a service (namespace, name) reads a topic; None where nobody said."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`service` (namespace, name) reads what `topics` (globs) fit in `group`. `cluster` "": wherever it reads them."""

    name: str
    cluster: str
    service: tuple[str, str]
    topics: tuple[str, ...]
    group: str


def reader(name: str, table: Table, clusters: Collection[str]) -> Reader:
    """The reader that a table declares; what is wrong is noted in the table."""
    found = Reader(
        name=name,
        cluster=table.text("cluster"),
        service=service_of(table.text("service", needed=True)),
        topics=table.texts("topics", check=glob_problem) or ("*",),
        group=table.text("group", needed=True),
    )
    if clusters and found.cluster and found.cluster not in clusters:
        table.blame("cluster", f"is none of {', '.join(sorted(clusters))}")
    table.done()
    return found


def group_of(readers: Iterable[Reader], cluster: str) -> GroupOf:
    """What is declared for a cluster; of several that fit the first by name counts."""
    mine = sorted((each for each in readers if each.cluster in ("", cluster)), key=lambda each: each.name)

    def found(service: tuple[str, str], topic: str) -> str | None:
        return next((each.group for each in mine if each.service == service and matches(topic, each.topics)), None)

    return found
