"""One look at a cluster, in the order that keeps lag from going negative: committed offsets before ends."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from collector.domain.brokers import (
    GroupDescribed,
    GroupListed,
    Offsets,
    Overview,
    TopicConfigs,
    TopicDescribed,
    Watermarks,
)
from collector.ports import BrokerMetadata


@dataclass(frozen=True, slots=True)
class Fall:
    """Ends of a topic's row that are lower than before, on so many partitions: at least so many offsets are gone."""

    topic_id: int
    at: datetime
    n_offsets: int
    n_partitions: int


@dataclass(frozen=True, slots=True)
class Fast:
    """What changes all the time. `at` is when the ends were asked for; internal topics have no ends here.

    `now`: the same in seconds, one number for all that remember it. `older`: topics that were there before they are
    seen here for the first time. `fallen`: by name.
    """

    at: datetime
    overview: Overview
    groups: Sequence[GroupListed]
    committed: Mapping[str, Offsets]
    ends: Mapping[str, Watermarks]
    older: frozenset[str] = frozenset()
    fallen: Mapping[str, Fall] = field(default_factory=dict)
    now: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "now", self.at.timestamp())


@dataclass(frozen=True, slots=True)
class Slow:
    """What changes seldom, for the topics and groups that were asked about: all of them when `is_complete`.

    `hidden` None: not asked.
    """

    topics: Mapping[str, TopicDescribed]
    configs: Mapping[str, TopicConfigs]
    groups: Sequence[GroupDescribed]
    hidden: Sequence[GroupListed] | None
    is_complete: bool


def fast_scan(
    broker: BrokerMetadata,
    *,
    has_ends: Callable[[str], bool],
    is_shown_group: Callable[[str], bool],
    now: Callable[[], datetime],
) -> Fast:
    """Offsets of all groups, then ends of all topics that `has_ends`. Raises what the broker's port raises.

    The overview comes first: a group call to a broker that is away may end the process (collector.kafka.metadata).
    """
    broker.overview()
    groups = [group for group in broker.groups() if is_shown_group(group.name)]
    committed = broker.committed([group.name for group in groups])
    overview = broker.overview()
    at = now()
    ends = broker.watermarks({name: leaders for name, leaders in overview.leaders.items() if has_ends(name)})
    return Fast(at, overview, groups, committed, ends)


def slow_scan(
    broker: BrokerMetadata,
    *,
    topics: Collection[str],
    configs_of: Collection[str],
    groups: Collection[str],
    hidden: bool,
    is_complete: bool,
) -> Slow:
    """Ids, settings, members: only of what is named. Raises what the broker's port raises."""
    return Slow(
        topics=broker.describe_topics(sorted(topics)) if topics else {},
        configs=broker.topic_configs(sorted(configs_of)) if configs_of else {},
        groups=broker.describe_groups(sorted(groups)) if groups else (),
        hidden=broker.hidden_groups() if hidden else None,
        is_complete=is_complete,
    )
