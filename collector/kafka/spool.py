"""The one topic that Weir creates: its own spool, on its own broker."""

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.kafka.errors import translated
from collector.ports import KafkaUnreachable

N_PARTITIONS = 3
CONFIGS = {
    "retention.ms": str(24 * 3600 * 1000),
    "retention.bytes": str(1024**3),  # a partition
    "segment.bytes": str(64 * 1024**2),
    "cleanup.policy": "delete",
}
ANSWER_SECONDS = 10.0


def make_spool(properties: Mapping[str, str | int], topic: str) -> bool:
    """Create `topic` unless it is there; True when it was not. Raises KafkaUnreachable or KafkaRefused."""
    admin = AdminClient(dict(properties))
    try:
        if topic in admin.list_topics(timeout=ANSWER_SECONDS).topics:
            return False
        created = admin.create_topics(
            [NewTopic(topic, num_partitions=N_PARTITIONS, config=CONFIGS)], request_timeout=ANSWER_SECONDS
        )
        created[topic].result(timeout=ANSWER_SECONDS + 1)
    except TimeoutError:
        raise KafkaUnreachable("Kafka did not answer in time.") from None
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise translated(error) from error
    return True
