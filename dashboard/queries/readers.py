"""The consumer groups on a topic: pace, how far behind, what they may lose, and how much of it traces explain."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.domain.lag import Pace
from dashboard.queries import offsets
from dashboard.queries.conditions import Behind, Health, worst
from dashboard.queries.graph import Edge, Facts, Graph
from dashboard.queries.keeping import Keeping, Risk, risk


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the broker's offsets have spans, over the window. None is unknown."""

    traced: int | None
    offsets: int | None

    @property
    def ratio(self) -> float | None:
        """0 to 1; None where the broker counted nothing. Records that were delivered twice are no more than all."""
        return min(1.0, self.traced / self.offsets) if self.offsets and self.traced is not None else None


@dataclass(frozen=True, slots=True)
class GroupOnTopic:
    """A consumer group on one topic: its pace, how far behind, and which services read as it.

    `number`: its own in the database, 0 where the group is not known.
    """

    id: str
    name: str
    services: tuple[str, ...]
    rate: float | None
    messages: int | None
    messages_from: str
    behind: Behind | None
    health: Health
    evidence: tuple[str, ...]
    state: str
    pace: Pace
    risk: Risk | None
    share: Share
    number: int

    @property
    def trend(self) -> float | None:
        """Offsets per second by which the lag grows (above 0) or falls."""
        return self.pace.growth

    @property
    def done_in_seconds(self) -> float | None:
        """Until nothing is left; infinity for never.

        None when unknown, without lag, and for a group that keeps up: its lag is only what is under way.
        """
        if self.behind is None or not self.behind.lag or self.behind.verdict == "OK":
            return None
        return self.pace.done_in(self.behind.lag)


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around topics, each looked up once: edges by their ends, groups by topic and by id."""

    into: Mapping[str, list[Edge]]
    out: Mapping[str, list[Edge]]
    committed: Mapping[int, list[int]]
    groups: Mapping[str, int]


def around(known: Facts, drawn: Graph) -> Around:
    """Of all topics."""
    into, out, committed = defaultdict(list), defaultdict(list), defaultdict(list)
    for edge in drawn.edges:
        into[edge.target].append(edge)
        out[edge.source].append(edge)
    for topic_id, group_id in known.names.standing:
        if group_id in known.names.groups:
            committed[topic_id].append(group_id)
    return Around(into, out, committed, {group.id: number for number, group in known.names.groups.items()})


def readers(number: int, known: Facts, near: Around, kept: Keeping | None) -> tuple[GroupOnTopic, ...]:
    """Who reads the topic. A group's pace is that of its commits; what spans say stands in where there are none."""
    return tuple(
        _reader(number, identity, near.groups.get(identity, 0), edges, known, kept)
        for identity, edges in sorted(_by_group(number, known, near).items())
    )


def paces(
    number: int, known: Facts, near: Around, kept: Keeping | None
) -> Iterator[tuple[str, float | None, Risk | None]]:
    """Of the same groups the id, the rate, and what each may lose: what the list of topics shows of 1,000 at once."""
    written = known.topics.get(number)
    produced = written.rate if written else None
    for identity, edges in _by_group(number, known, near).items():
        key = near.groups.get(identity, 0)
        rate, _, _ = _pace(known.groups.get((number, key)), edges)
        yield identity, rate, risk(known.names.behind(number, key), Pace(produced, rate), kept)


def _by_group(number: int, known: Facts, near: Around) -> dict[str, list[Edge]]:
    names = known.names
    found: dict[str, list[Edge]] = {names.groups[group].id: [] for group in near.committed[number]}
    for edge in near.out[names.topics[number].id]:
        found.setdefault(edge.group or "", []).append(edge)
    return found


def _reader(
    number: int, identity: str, key: int, edges: list[Edge], known: Facts, kept: Keeping | None
) -> GroupOnTopic:
    group, behind = known.names.groups.get(key), known.names.behind(number, key)
    progress, written = known.groups.get((number, key)), known.topics.get(number)
    rate, messages, told_by = _pace(progress, edges)
    healths = [Health(edge.health, edge.sentence) for edge in edges]
    spans = [edge.messages for edge in edges if edge.messages is not None and edge.messages_from == "spans"]
    pace = Pace(written.rate if written else None, rate)
    return GroupOnTopic(
        identity,
        group.name if group else "?",
        tuple(edge.target for edge in edges if edge.target.startswith("service:")),
        rate,
        messages,
        told_by,
        behind,
        worst(healths) if healths else Health("idle", "nothing read in this window"),
        tuple(dict.fromkeys(word for edge in edges for word in edge.evidence)) or ("offsets",),
        group.state if group else "",
        pace,
        risk(behind, pace, kept),
        Share(sum(spans), progress.messages if progress else None),
        key,
    )


def _pace(progress: offsets.GroupProgress | None, edges: Sequence[Edge]) -> tuple[float | None, int | None, str]:
    """Rate, messages, and what tells them: commits, else the spans of all who read as this group."""
    if progress is not None and progress.messages is not None:
        return progress.rate, progress.messages, "offsets"
    rates = [edge.rate for edge in edges if edge.rate is not None]
    counts = [edge.messages for edge in edges if edge.messages is not None]
    return sum(rates) if rates else None, sum(counts) if counts else None, "spans" if counts else "offsets"
