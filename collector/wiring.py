"""Builds adapters from settings: the only place where they meet the core."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import connection

from collector import clock
from collector.config import declared
from collector.config import rules as declared_rules
from collector.config.document import Document
from collector.intake.collecting import Collector
from collector.intake.native import Compiled, compiled
from collector.intake.otlp_topics import OtlpTopicReading
from collector.intake.reading import Reading
from collector.intake.room import Room
from collector.intake.saving import Aside
from collector.intake.sources import NamedTopics, Source, TappedTopics
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.intake.taps import TapReading, TapRules
from collector.intake.working import Limits, Worker
from collector.kafka.first_records import KafkaFirstRecords
from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.kafka.metadata import AdminMetadata
from collector.kafka.properties import Access, properties, resolved
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.rights import KafkaRights
from collector.kafka.spool import make_spool
from collector.ports import BrokerMetadata, FirstRecords, KafkaRefused, Log, Lookup, Publisher, Rights
from collector.retry.dispatch import STOPPING, Sender
from collector.store import broker_names
from collector.store.clusters import UNKNOWN
from collector.store.connection import reaching
from collector.store.positions import InputKind, input_row
from collector.store.records import key_names
from collector.store.saving import Store

SPOOL_TOPIC = "weir.spool"
REQUESTS = Limits(records=1_000, size_bytes=6_000_000)
RECORDS = Limits(records=10_000, size_bytes=16_000_000)
SEND_OUT_SECONDS = 1.0  # every report was waited for already


@dataclass(frozen=True, slots=True)
class Observed:
    """The cluster that is observed: its shown name, and how to reach it. Declared by `apply`, else by environment."""

    name: str
    access: Access


def observed() -> Observed:
    """The observed cluster as it is declared now. Needs the database. Raises KafkaRefused for an unusable secret."""
    with reaching():
        clusters = declared.document().clusters
    for cluster in clusters.values():
        return Observed(cluster.name, resolved(cluster, folder=settings.WEIR_SECRETS_DIR))
    return Observed(settings.WEIR_CLUSTER_NAME, _environment("KAFKA"))


def _environment(family: str) -> Access:
    def given(name: str) -> str:
        return str(getattr(settings, f"WEIR_{family}_{name}"))

    return Access(
        bootstrap=given("BOOTSTRAP"),
        tls=getattr(settings, f"WEIR_{family}_TLS"),
        ca=given("TLS_CA"),
        certificate=given("TLS_CERT"),
        key=given("TLS_KEY"),
        key_password=given("TLS_KEY_PASSWORD"),
        sasl=given("SASL") if given("USERNAME") else "",
        username=given("USERNAME"),
        password=given("PASSWORD"),
    )


def broker_metadata(where: Observed) -> BrokerMetadata:
    """What the observed cluster knows of itself. Raises KafkaRefused for a password in clear text."""
    return AdminMetadata(properties(where.access))


def first_records(where: Observed) -> FirstRecords:
    """What lies at a position of the observed cluster."""
    return KafkaFirstRecords(properties(where.access))


def spool_properties() -> dict[str, str | int]:
    """librdkafka properties of the broker that holds the spool. Raises KafkaRefused for a password in clear text."""
    return properties(_environment("SPOOL"))


def spool_publisher() -> Publisher:
    """Sends to the spool's broker."""
    return KafkaPublisher(spool_properties())


def make_spool_topic() -> bool:
    """Create the spool unless it is there; True when it was not. Raises KafkaUnreachable or KafkaRefused."""
    return make_spool(spool_properties(), SPOOL_TOPIC, n_partitions=settings.WEIR_SPOOL_PARTITIONS)


def spool_log() -> Log:
    """Reads the spool; shows how far on its broker, which is ours."""
    return KafkaLog(spool_properties(), commits=True)


@contextmanager
def retry_sender() -> Iterator[Sender]:
    """A worker's way to the observed cluster, for as long as one dispatch takes."""
    where, name = observed(), f"{os.getpid()}@{socket.gethostname()}"
    sends = properties(_sending(where.access))
    lookup: Lookup = KafkaLookup(properties(where.access))
    publisher: Publisher = KafkaPublisher(sends)
    try:
        yield Sender(lookup, publisher, KafkaRights(sends), where.name, name, clock.now, STOPPING)
    finally:
        publisher.close(wait_seconds=SEND_OUT_SECONDS)
        lookup.close()


@contextmanager
def retry_rights(cluster: str) -> Iterator[Rights]:
    """What the user that sends to this cluster may do. Raises KafkaRefused where the cluster is not observed."""
    where = observed()
    if where.name != cluster:
        raise KafkaRefused(f"The cluster {cluster} is not observed any more.")
    yield KafkaRights(properties(_sending(where.access)))


def _sending(reads: Access) -> Access:
    """As the user that sends retries, where there is one beside the user that reads (security: S46)."""
    given: dict[str, Any] = {
        "sasl": settings.WEIR_KAFKA_SASL if settings.WEIR_RETRY_USERNAME else "",
        "username": settings.WEIR_RETRY_USERNAME,
        "password": settings.WEIR_RETRY_PASSWORD,
        "certificate": settings.WEIR_RETRY_TLS_CERT,
        "key": settings.WEIR_RETRY_TLS_KEY,
        "key_password": settings.WEIR_RETRY_TLS_KEY_PASSWORD,
    }
    return replace(reads, **{name: value for name, value in given.items() if value})


def tap_rules(document: Document) -> TapRules:
    """What is tapped: as declared, and where nothing is, as the environment says."""
    taps = document.taps
    return TapRules(
        topics=settings.WEIR_TAP if taps.topics is None else taps.topics,
        payloads=settings.WEIR_TAP_PAYLOADS if taps.payloads is None else taps.payloads,
        business_keys=settings.WEIR_BUSINESS_KEYS if taps.keys is None else taps.keys,
        origins=taps.origins,
        drops=declared_rules.drops(document),
        hidden=declared_rules.hidden(document),
    )


def collecting() -> Collector:
    """A collector with its workers, not started, as is declared now. Needs the database. Raises KafkaRefused."""
    where, document = observed(), declared.document()
    with connection.cursor() as cursor:
        cluster_id = broker_names.cluster_row(cursor, where.name)
    sources = [_spool_source(document), _tap_source(where, cluster_id, tap_rules(document))]
    if document.inputs:
        sources.append(_otlp_source(where, cluster_id, document))
    return Collector(sources, now=clock.now, lack=Room(settings.WEIR_DISK_DIR).lack)


def _spool_source(document: Document) -> Source:
    log, number = spool_log(), input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name=SPOOL_TOPIC)
    drops = declared_rules.drops(document)
    worker = Worker("spool", lambda: _intake("spool", log, SpoolReading(_compiled(), drops), number), limits=REQUESTS)
    return Source(number, worker, NamedTopics(log, [SPOOL_TOPIC]))


def _tap_source(where: Observed, cluster_id: int, rules: TapRules) -> Source:
    log = KafkaLog(properties(where.access), commits=False)
    number = input_row(InputKind.TAP, cluster_id=cluster_id, topic_name="*")
    reading = TapReading(rules, key_names(rules.business_keys))
    worker = Worker("taps", lambda: _intake("taps", log, reading, number), limits=RECORDS)
    return Source(number, worker, TappedTopics(cluster_id, rules, reading.know))


def _otlp_source(where: Observed, cluster_id: int, document: Document) -> Source:
    encodings = {topic: each.encoding for each in document.inputs.values() for topic in each.topics}
    log = KafkaLog(properties(where.access), commits=False)
    number = input_row(InputKind.OTLP_TOPIC, cluster_id=cluster_id, topic_name="*")
    drops = declared_rules.drops(document)
    worker = Worker(
        "otlp", lambda: _intake("otlp", log, OtlpTopicReading(encodings, _compiled(), drops), number), limits=REQUESTS
    )
    return Source(number, worker, NamedTopics(log, sorted(encodings)))


def _compiled() -> Compiled | None:
    return compiled() if settings.WEIR_NATIVE == "on" else None


def _intake(name: str, log: Log, reading: Reading, input_id: int) -> Intake:
    return Intake(log, Aside(Store(), name=name), reading, input_id, clock.now)
