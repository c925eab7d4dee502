"""Builds adapters from settings: the only place where they meet the core."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from collector import clock
from collector.config import declared
from collector.config import rules as declared_rules
from collector.config.clusters import Cluster
from collector.config.document import Document, OtlpInput
from collector.config.mask_key import mask_key
from collector.domain.masking import Rules
from collector.intake.collecting import Collector
from collector.intake.native import Compiled, compiled, compiled_taps
from collector.intake.otlp_topics import OtlpTopicReading
from collector.intake.reading import Reading
from collector.intake.room import Room
from collector.intake.saving import Aside
from collector.intake.sources import NamedTopics, Source, TappedTopics
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.intake.taps import TapReading, TapRules
from collector.intake.working import Limits, Worker
from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.kafka.peek import KafkaPeek
from collector.kafka.properties import properties
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.rights import KafkaRights
from collector.kafka.spool import make_spool
from collector.lookups.sifting import LookRules
from collector.observing import Observed, environment, observed
from collector.ports import KafkaRefused, Log, Lookup, Peek, Publisher, Rights
from collector.retry.dispatch import STOPPING, NotObserved, Sender
from collector.store import clusters
from collector.store.clusters import UNKNOWN
from collector.store.connection import reaching
from collector.store.positions import InputKind, input_row
from collector.store.records import key_names
from collector.store.saving import Store

T = TypeVar("T")
SPOOL_TOPIC = "weir.spool"
SPOOL_LINGER_MS = 10  # what comes in that time is one request to Kafka: half of its CPU a span
REQUESTS = Limits(records=1_000, size_bytes=6_000_000)
RECORDS = Limits(records=10_000, size_bytes=16_000_000)
MOST_SENT_BYTES = 64_000_000  # of a copy: the target's topic says what it takes; half of what a producer holds
SEND_OUT_SECONDS = 1.0  # every report was waited for already


def spool_properties() -> dict[str, str | int]:
    """librdkafka properties of the broker that holds the spool. Raises KafkaRefused for a password in clear text."""
    return properties(environment("SPOOL"))


def spool_publisher() -> Publisher:
    """Sends to the spool's broker."""
    return KafkaPublisher(spool_properties(), linger_ms=SPOOL_LINGER_MS)


def make_spool_topic() -> bool:
    """Create the spool unless it is there; True when it was not. Raises KafkaUnreachable or KafkaRefused."""
    return make_spool(spool_properties(), SPOOL_TOPIC, n_partitions=settings.WEIR_SPOOL_PARTITIONS)


def spool_log() -> Log:
    """Reads the spool; shows how far on its broker, which is ours."""
    return KafkaLog(spool_properties(), commits=True)


@contextmanager
def retry_sender(cluster: str) -> Iterator[Sender]:
    """A worker's way to an observed cluster, for as long as one dispatch takes. Raises NotObserved, KafkaRefused."""
    where = _observed_as(cluster)
    if where is None:
        raise NotObserved(cluster)
    sends = where.sends()
    lookup: Lookup = KafkaLookup(where.reads())
    publisher: Publisher = KafkaPublisher(sends, most_bytes=MOST_SENT_BYTES)
    name = f"{os.getpid()}@{socket.gethostname()}"
    try:
        yield Sender(lookup, publisher, KafkaRights(sends), cluster, name, clock.now, STOPPING)
    finally:
        publisher.close(wait_seconds=SEND_OUT_SECONDS)
        lookup.close()


@contextmanager
def lookup(cluster: str) -> Iterator[Lookup]:
    """A way to read an observed cluster. Raises KafkaRefused where it is not observed any more."""
    where = _observed_as(cluster)
    if where is None:
        raise KafkaRefused(f"The cluster {cluster} is not observed any more.")
    made = KafkaLookup(where.reads())
    try:
        yield made
    finally:
        made.close()


@contextmanager
def peek(cluster: str) -> Iterator[Peek]:
    """A way to look into topics of an observed cluster. Raises KafkaRefused where it is not observed any more."""
    where = _observed_as(cluster)
    if where is None:
        raise KafkaRefused(f"The cluster {cluster} is not observed any more.")
    made = KafkaPeek(where.reads())
    try:
        yield made
    finally:
        made.close()


def look_rules() -> LookRules:
    """What is dropped and hidden of records that a page looks at, as is declared now."""
    document = declared.document()
    return LookRules(
        declared_rules.drops(document), declared_rules.hidden(document), tuple(document.letters.values()), mask_key()
    )


@contextmanager
def retry_rights(cluster: str) -> Iterator[Rights]:
    """What the user that sends to this cluster may do. Raises KafkaRefused where the cluster is not observed."""
    where = _observed_as(cluster)
    if where is None:
        raise KafkaRefused(f"The cluster {cluster} is not observed any more.")
    yield KafkaRights(where.sends())


def _observed_as(name: str) -> Observed | None:
    with reaching():
        found = observed(declared.document())
    return next((each for each in found if each.name == name), None)


def tap_rules(document: Document, cluster: Cluster | None = None) -> TapRules:
    """What is tapped of a cluster: as it says itself, else as is declared for all, else as the environment says."""
    taps = document.taps

    def chosen(*globs: Sequence[str] | None) -> Sequence[str]:
        return next(each for each in globs if each is not None)

    return TapRules(
        topics=chosen(cluster.taps if cluster else None, taps.topics, settings.WEIR_TAP),
        payloads=chosen(cluster.payloads if cluster else None, taps.payloads, settings.WEIR_TAP_PAYLOADS),
        business_keys=chosen(taps.keys, settings.WEIR_BUSINESS_KEYS),
        origins=taps.origins,
        drops=declared_rules.drops(document),
        hidden=declared_rules.hidden(document),
        alias_secret=mask_key(),
        mappings=tuple(document.letters.values()),
    )


def collecting() -> Collector:
    """A collector with its workers, not started, as is declared now. Needs the database. Raises KafkaRefused.

    Each cluster has clients and threads of its own, made where they are used: one that cannot be reached, or whose
    secret is missing, keeps nobody else waiting.
    """
    document = declared.document()
    found = observed(document)
    numbers = clusters.numbers([each.name for each in found])
    sources = [_spool_source(document)]
    for where in found:
        of = f" of {where.name}" if len(found) > 1 else ""
        about = _About(where, numbers[where.name], of, is_needed=where.has_spool)
        sources.append(_tap_source(about, tap_rules(document, where.declared)))
        inputs = [each for each in document.inputs.values() if len(found) == 1 or each.cluster == where.name]
        if inputs:
            sources.append(_otlp_source(about, inputs, declared_rules.drops(document)))
    return Collector(sources, now=clock.now, lack=Room(settings.WEIR_DISK_DIR).lack)


@dataclass(frozen=True, slots=True)
class _About:
    """A cluster as its sources are made for it. `of`: what is added to their names."""

    where: Observed
    cluster_id: int
    of: str
    is_needed: bool

    def log(self) -> Log:
        """Reads its topics; shows nobody how far."""
        return KafkaLog(self.where.reads(), commits=False)


def _spool_source(document: Document) -> Source:
    log, number = _once(spool_log), input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name=SPOOL_TOPIC)
    drops = declared_rules.drops(document)
    worker = Worker("spool", lambda: _intake("spool", log(), SpoolReading(_compiled(), drops), number), limits=REQUESTS)
    return Source(number, worker, NamedTopics(log, [SPOOL_TOPIC]))


def _tap_source(about: _About, rules: TapRules) -> Source:
    number = input_row(InputKind.TAP, cluster_id=about.cluster_id, topic_name="*")
    pack = compiled_taps() if settings.WEIR_NATIVE == "on" else None
    reading, name = TapReading(rules, key_names(rules.business_keys), pack), f"taps{about.of}"
    worker = Worker(name, lambda: _intake(name, about.log(), reading, number), limits=RECORDS)
    return Source(
        number, worker, TappedTopics(about.cluster_id, rules, reading.know), about.is_needed, about.where.name
    )


def _otlp_source(about: _About, inputs: Sequence[OtlpInput], drops: Rules) -> Source:
    encodings = {topic: each.encoding for each in inputs for topic in each.topics}
    sources = {topic: f"input:{each.name}" for each in inputs for topic in each.topics if each.spans_of}
    log, name = _once(about.log), f"otlp{about.of}"
    number = input_row(InputKind.OTLP_TOPIC, cluster_id=about.cluster_id, topic_name="*")

    def built() -> Intake:
        return _intake(name, log(), OtlpTopicReading(encodings, _compiled(), drops, sources=sources), number)

    worker = Worker(name, built, limits=REQUESTS)
    return Source(number, worker, NamedTopics(log, sorted(encodings)), about.is_needed, about.where.name)


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """One object for two threads, made by whoever needs it first; made again where that failed."""
    lock = threading.Lock()
    made: list[T] = []

    def found() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return found


def _compiled() -> Compiled | None:
    return compiled() if settings.WEIR_NATIVE == "on" else None


def _intake(name: str, log: Log, reading: Reading, input_id: int) -> Intake:
    return Intake(log, Aside(Store(), name=name), reading, input_id, clock.now)
