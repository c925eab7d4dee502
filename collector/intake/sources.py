"""What there is to read, and the worker that reads it: topics named in settings, and tapped topics."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from collector.intake.taps import TapRules
from collector.intake.working import Worker
from collector.ports import KafkaRefused, KafkaUnreachable, Log, Partition
from collector.store.feeds import Feed, feeds
from collector.store.positions import Place

EVERY_SECONDS = 1.0
FIRST_ANSWER_SECONDS = 0.5


class Topics(Protocol):
    """Where partitions come from. Called by the collector's own thread; nothing here waits for a broker."""

    @property
    def trouble(self) -> str | None:
        """Why it may not know all of them, as a sentence; None when all goes well."""

    def start(self) -> None:
        """Begin to find out."""

    def stop(self) -> None:
        """Ask for no more."""

    def places(self) -> Mapping[Partition, Place] | None:
        """Every partition that there is to share now; None while nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its row, its worker, its topics. `is_needed`: without it the collector is not ready.

    `cluster`: its shown name; "" for the spool.
    """

    input_id: int
    worker: Worker
    topics: Topics
    is_needed: bool = True
    cluster: str = ""

    @property
    def trouble(self) -> str | None:
        """What is waited for, as a sentence."""
        return self.topics.trouble or self.worker.trouble

    @property
    def is_read(self) -> bool:
        """True once its topics are known and its worker reads."""
        return self.topics.trouble is None and self.worker.is_reading.is_set()


class NamedTopics:
    """Topics that settings name; one that does not exist (yet) has no partitions.

    Its broker is asked on a thread of its own: one that does not answer must not keep others waiting.
    """

    def __init__(self, log: Callable[[], Log], names: Sequence[str]) -> None:
        self.trouble: str | None = None
        self._log = log
        self._names = names
        self._places: Mapping[Partition, Place] | None = None
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._answered = threading.Event()

    def start(self) -> None:
        """Ask from now on, every second. A broker that answers at once is waited for."""
        threading.Thread(target=self._run, name="topics", daemon=True).start()
        self._answered.wait(FIRST_ANSWER_SECONDS)

    def stop(self) -> None:
        """After the question under way."""
        self._stop.set()

    def places(self) -> Mapping[Partition, Place] | None:
        """As the broker said last. Raises what ended the thread."""
        if self._failure is not None:
            raise self._failure
        return self._places

    def look(self) -> None:
        """Ask once."""
        try:
            found = self._log().identities(self._names)
        except (KafkaUnreachable, KafkaRefused) as error:
            self.trouble = str(error)
            return
        self._places = {
            Partition(name, number): Place(identity.kafka_id, number)
            for name, identity in found.items()
            for number in range(identity.n_partitions)
        }
        self.trouble = None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.look()
                self._answered.set()
                self._stop.wait(EVERY_SECONDS)
        except BaseException as failure:  # noqa: BLE001  # raised again by whoever asks for places
            self._failure = failure


class TappedTopics:
    """Topics of a cluster that the sampler found and the rules want."""

    trouble = None  # the sampler's word is in the database, which whoever asks needs anyway

    def __init__(self, cluster_id: int, rules: TapRules, know: Callable[[Iterable[Feed]], None]) -> None:
        self._cluster_id = cluster_id
        self._rules = rules
        self._know = know

    def start(self) -> None:
        """The sampler finds out."""

    def stop(self) -> None:
        """Nothing was begun."""

    def places(self) -> Mapping[Partition, Place]:
        """Their partitions; what their records need to be known by is told to the reading first."""
        found = [feed for feed in feeds(self._cluster_id) if self._rules.wants(feed)]
        self._know(found)
        return {
            Partition(feed.name, number): Place(feed.kafka_id, number)
            for feed in found
            for number in range(feed.n_partitions)
        }
