"""What there is to read, and the worker that reads it: topics named in settings, and tapped topics."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.intake.taps import TapRules
from collector.intake.working import Worker
from collector.ports import KafkaRefused, KafkaUnreachable, Log, Partition
from collector.store.feeds import Feed, feeds
from collector.store.positions import Place


class Topics(Protocol):
    """Where partitions come from. Called by the collector's own thread."""

    @property
    def trouble(self) -> str | None:
        """Why it may not know all of them, as a sentence; None when all goes well."""

    def places(self) -> Mapping[Partition, Place]:
        """Every partition that there is to share now."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its row, its worker, its topics."""

    input_id: int
    worker: Worker
    topics: Topics


class NamedTopics:
    """Topics that settings name; one that does not exist (yet) has no partitions."""

    def __init__(self, log: Log, names: Sequence[str]) -> None:
        self.trouble: str | None = None
        self._log = log
        self._names = names
        self._places: Mapping[Partition, Place] = {}

    def places(self) -> Mapping[Partition, Place]:
        """As the broker says now; while it does not answer, as it said before."""
        try:
            found = self._log.identities(self._names)
        except (KafkaUnreachable, KafkaRefused) as error:
            self.trouble = str(error)
            return self._places
        self.trouble = None
        self._places = {
            Partition(name, number): Place(identity.kafka_id, number)
            for name, identity in found.items()
            for number in range(identity.n_partitions)
        }
        return self._places


class TappedTopics:
    """Topics of a cluster that the sampler found and the rules want."""

    trouble = None  # the sampler's word is in the database, which whoever asks needs anyway

    def __init__(self, cluster_id: int, rules: TapRules, know: Callable[[Iterable[Feed]], None]) -> None:
        self._cluster_id = cluster_id
        self._rules = rules
        self._know = know

    def places(self) -> Mapping[Partition, Place]:
        """Their partitions; what their records need to be known by is told to the reading first."""
        found = [feed for feed in feeds(self._cluster_id) if self._rules.wants(feed)]
        self._know(found)
        return {
            Partition(feed.name, number): Place(feed.kafka_id, number)
            for feed in found
            for number in range(feed.n_partitions)
        }
