"""Builds adapters from settings: the only place where they meet the core."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from collector import clock
from collector.intake.collecting import Collector, Inputs
from collector.intake.saving import Aside
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.intake.taps import TapReading, TapRules
from collector.intake.working import Limits, Worker
from collector.kafka.log import KafkaLog
from collector.kafka.lookup import KafkaLookup
from collector.kafka.metadata import AdminMetadata
from collector.kafka.properties import properties
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.spool import make_spool
from collector.ports import BrokerMetadata, Log, Lookup, Publisher
from collector.retry.dispatch import STOPPING, Sender
from collector.store import broker_names
from collector.store.clusters import UNKNOWN
from collector.store.positions import InputKind, input_row
from collector.store.records import key_names
from collector.store.saving import Store

SPOOL_TOPIC = "weir.spool"
SEND_OUT_SECONDS = 1.0  # every report was waited for already


def observed_properties() -> dict[str, str | int]:
    """librdkafka properties of the observed cluster. Raises KafkaRefused for a password in clear text."""
    return properties(
        settings.WEIR_KAFKA_BOOTSTRAP,
        username=settings.WEIR_KAFKA_USERNAME,
        password=settings.WEIR_KAFKA_PASSWORD,
        tls=settings.WEIR_KAFKA_TLS,
    )


def broker_metadata() -> BrokerMetadata:
    """What the observed cluster knows of itself."""
    return AdminMetadata(observed_properties())


def spool_properties() -> dict[str, str | int]:
    """librdkafka properties of the broker that holds the spool. Raises KafkaRefused for a password in clear text."""
    return properties(
        settings.WEIR_SPOOL_BOOTSTRAP,
        username=settings.WEIR_SPOOL_USERNAME,
        password=settings.WEIR_SPOOL_PASSWORD,
        tls=settings.WEIR_SPOOL_TLS,
    )


def spool_publisher() -> Publisher:
    """Sends to the spool's broker."""
    return KafkaPublisher(spool_properties())


def observed_publisher() -> Publisher:
    """Sends to the observed cluster: only what a person asked for."""
    return KafkaPublisher(observed_properties())


def make_spool_topic() -> bool:
    """Create the spool unless it is there; True when it was not. Raises KafkaUnreachable or KafkaRefused."""
    return make_spool(spool_properties(), SPOOL_TOPIC)


def spool_log() -> Log:
    """Reads the spool; shows how far on its broker, which is ours."""
    return KafkaLog(spool_properties(), commits=True)


def observed_log() -> Log:
    """Reads observed topics and leaves no trace on their broker."""
    return KafkaLog(observed_properties(), commits=False)


def observed_lookup() -> Lookup:
    """Looks at single records of the observed cluster."""
    return KafkaLookup(observed_properties())


@contextmanager
def retry_sender() -> Iterator[Sender]:
    """A worker's way to the observed cluster, for as long as one dispatch takes."""
    lookup, publisher = observed_lookup(), observed_publisher()
    try:
        yield Sender(lookup, publisher, f"{os.getpid()}@{socket.gethostname()}", clock.now, STOPPING)
    finally:
        publisher.close(wait_seconds=SEND_OUT_SECONDS)
        lookup.close()


def collecting() -> Collector:
    """A collector with its two workers, not started. Needs the database."""
    with connection.cursor() as cursor:
        cluster_id = broker_names.cluster_row(cursor, settings.WEIR_CLUSTER_NAME)
    inputs = Inputs(
        cluster_id=cluster_id,
        spool_id=input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name=SPOOL_TOPIC),
        taps_id=input_row(InputKind.TAP, cluster_id=cluster_id, topic_name="*"),
    )
    rules = TapRules(settings.WEIR_TAP, settings.WEIR_TAP_PAYLOADS, settings.WEIR_BUSINESS_KEYS)
    taps = TapReading(rules, key_names(rules.business_keys))
    spool, observed = spool_log(), observed_log()
    return Collector(
        inputs=inputs,
        spool=Worker(
            "spool",
            lambda: Intake(spool, Aside(Store(), name="spool"), SpoolReading(), inputs.spool_id, clock.now),
            limits=Limits(records=1_000, size_bytes=6_000_000),
        ),
        taps=Worker(
            "taps",
            lambda: Intake(observed, Aside(Store(), name="taps"), taps, inputs.taps_id, clock.now),
            limits=Limits(records=10_000, size_bytes=16_000_000),
        ),
        spool_log=spool,
        spool_topic=SPOOL_TOPIC,
        rules=rules,
        know=taps.know,
        now=clock.now,
    )
