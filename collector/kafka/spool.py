"""The one topic that Weir creates: its own spool, on its own broker."""

import logging
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from collector.kafka.errors import REFUSED, translated
from collector.ports import KafkaUnreachable

log = logging.getLogger(__name__)

N_PARTITIONS = 12  # enough for a handful of collectors to share them about evenly
SPOOL_BYTES = 3 * 1024**3  # all partitions together
SEGMENT_BYTES = 64 * 1024**2
CONFIGS = {
    "retention.ms": str(24 * 3600 * 1000),
    "segment.bytes": str(SEGMENT_BYTES),
    "cleanup.policy": "delete",
}
ANSWER_SECONDS = 10.0


def make_spool(properties: Mapping[str, str | int], topic: str, *, n_partitions: int = N_PARTITIONS) -> bool:
    """Create `topic` unless it is there; True when it was not. One with fewer partitions gets more.

    Raises KafkaUnreachable or KafkaRefused.
    """
    admin = AdminClient({"log_level": 0, **properties})  # every failure comes back to the caller
    kept = {"retention.bytes": str(max(2 * SEGMENT_BYTES, SPOOL_BYTES // n_partitions))}  # a partition
    try:
        there = admin.list_topics(timeout=ANSWER_SECONDS).topics.get(topic)
        if there is not None:
            _grow(admin, topic, there=len(there.partitions), wanted=n_partitions)
            return False
        created = admin.create_topics(
            [NewTopic(topic, num_partitions=n_partitions, config={**CONFIGS, **kept})], request_timeout=ANSWER_SECONDS
        )
        created[topic].result(timeout=ANSWER_SECONDS + 1)
    except TimeoutError:
        raise KafkaUnreachable("Kafka did not answer in time.") from None
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise translated(error) from error
    return True


def _grow(admin: AdminClient, topic: str, *, there: int, wanted: int) -> None:
    """More partitions, where the broker lets us: it works with fewer, too. Another receiver may have been first."""
    if not 0 < there < wanted:
        return
    try:
        grown = admin.create_partitions([NewPartitions(topic, wanted)], request_timeout=ANSWER_SECONDS)
        grown[topic].result(timeout=ANSWER_SECONDS + 1)
    except KafkaException as error:
        if error.args[0].code() not in REFUSED | {KafkaError.INVALID_PARTITIONS}:
            raise
        log.warning("%s keeps its %d partitions: %s", topic, there, error.args[0].str())
