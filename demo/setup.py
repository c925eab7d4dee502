"""`python -m demo.setup`: wait for Kafka and create the shop's topics. Safe to run again."""

import logging
import os
import sys
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from demo.topics import TOPICS

log = logging.getLogger("demo")

WAIT_SECONDS = 60.0
CALL_SECONDS = 10.0


class NoKafka(RuntimeError):
    """Kafka did not answer, or not all topics came to be."""


def create_topics(bootstrap: str, *, wait_seconds: float = WAIT_SECONDS) -> list[str]:
    """Create those topics that are missing and wait until all have leaders; the names of the new ones.

    Raises NoKafka when the broker does not answer, or the topics are not there, within `wait_seconds`; KafkaException
    when the broker refuses to create one.
    """
    until = time.monotonic() + wait_seconds
    admin = AdminClient({"bootstrap.servers": bootstrap, "client.id": "demo-setup", "log.connection.close": False})
    present = _ready_topics(admin, until=until)
    missing = [topic for topic in TOPICS if topic.name not in present]
    if missing:
        wanted = [NewTopic(topic.name, topic.n_partitions, -1, config=topic.config()) for topic in missing]
        for name, created in admin.create_topics(wanted, request_timeout=CALL_SECONDS).items():
            _created(name, created.exception())
    while not {topic.name for topic in TOPICS} <= _ready_topics(admin, until=until):
        time.sleep(0.1)
    return [topic.name for topic in missing]


def _created(name: str, failure: BaseException | None) -> None:
    if failure is None:
        return
    if isinstance(failure, KafkaException) and failure.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
        log.info("%s was created by somebody else meanwhile", name)
        return
    raise failure


def _ready_topics(admin: AdminClient, *, until: float) -> set[str]:
    """The topics all of whose partitions have a leader."""
    while True:
        if time.monotonic() > until:
            raise NoKafka("Kafka does not answer, or has no leader for the shop's topics")
        try:
            metadata = admin.list_topics(timeout=1)
        except KafkaException as error:
            log.info("waiting for Kafka: %s", error)
            continue
        return {
            name
            for name, topic in metadata.topics.items()
            if topic.error is None and all(partition.leader >= 0 for partition in topic.partitions.values())
        }


def main() -> int:
    """Create the topics on DEMO_KAFKA_BOOTSTRAP."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    bootstrap = os.environ.get("DEMO_KAFKA_BOOTSTRAP")
    if not bootstrap:
        sys.stderr.write("DEMO_KAFKA_BOOTSTRAP is not set\n")
        return 2
    try:
        new = create_topics(bootstrap)
    except (NoKafka, KafkaException) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(TOPICS)} topics, {len(new)} of them new\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
