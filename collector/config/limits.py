"""Limits of what counts as stuck, as a settings file declares them: one table each."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.config.tables import Problem, Table, service_of
from collector.domain.durations import seconds_of

LEAST_SECONDS, MOST_SECONDS = 0.1, 7 * 86_400.0
MOST_SECONDS_OF_SENDS = 300.0  # what follows a reading is looked for among the spans of ten minutes


@dataclass(frozen=True, slots=True)
class Limit:
    """Who is waited for: a group that reads the topic, or a service (namespace, name) that then sends to `next_topic`.

    `cluster` "": every one that has the topic. Of group and service one is None.
    """

    name: str
    cluster: str
    topic: str
    group: str | None
    service: tuple[str, str] | None
    next_topic: str | None
    seconds: float


def limit(name: str, table: Table) -> Limit:
    """The limit that a table declares; what is wrong is noted in the table."""
    group, service, following = (table.text(field) or None for field in ("group", "service", "next_topic"))
    if (group is None) == (service is None):
        table.blame("", "must name either a group, or a service and next_topic")
    elif (service is None) != (following is None):
        table.blame("next_topic", "goes with service: the topic that it sends to after reading this one")
    found = Limit(
        name=name,
        cluster=table.text("cluster"),
        topic=table.text("topic", needed=True),
        group=group,
        service=service_of(service) if service else None,
        next_topic=following,
        seconds=_seconds(table, MOST_SECONDS if group else MOST_SECONDS_OF_SENDS),
    )
    table.done()
    return found


def refuse_twice(limits: Mapping[str, Limit], problems: list[Problem]) -> None:
    """Two limits for the same waiting would leave to chance which one counts."""
    first: dict[tuple[object, ...], str] = {}
    for name, each in limits.items():
        other = first.setdefault((each.cluster, each.topic, each.group, each.service, each.next_topic), name)
        if other != name:
            problems.append(Problem(("stuck", name), f"is for the same as stuck.{other}"))


def _seconds(table: Table, most: float) -> float:
    text = table.text("after", needed=True)
    seconds = seconds_of(text) if text else None
    if text and (seconds is None or not LEAST_SECONDS <= seconds <= most):
        table.blame("after", f'must be a time from 100 ms to {"7 d" if most == MOST_SECONDS else "5 min"}: "30 s"')
    return seconds or most
