"""The Rights of a real cluster: what its authorizer grants to the user that sends, as the brokers say it."""

import concurrent.futures
from collections.abc import Collection, Mapping

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export what it imports
    AclOperation,
    AdminClient,
    TopicDescription,
)

from collector.kafka.errors import NO_SUCH_PARTITION, translated
from collector.kafka.metadata_values import is_sayable, uuid_of
from collector.ports import Grant, KafkaRefused, KafkaUnreachable

PROBE_SECONDS = 5
ANSWER_SECONDS = 10


class KafkaRights:
    """See collector.ports.Rights. A client for each question: a broker that falls silent cannot hurt the next one."""

    def __init__(self, properties: Mapping[str, str | int]) -> None:
        self._properties: dict[str, str | int | float | bool] = {"log_level": 0, **properties}

    def granted(self, topics: Collection[str]) -> Mapping[str, Grant]:
        """Ask for the operations that each topic's description grants."""
        names = sorted({name for name in topics if is_sayable(name)})
        if not names:
            return {}
        admin = AdminClient(self._properties)
        try:
            if not admin.list_topics(timeout=PROBE_SECONDS).brokers:
                raise KafkaUnreachable("The broker does not know its own cluster yet.")
            asked = admin.describe_topics(
                TopicCollection(names), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
            )
            found: dict[str, Grant] = {}
            for name, future in asked.items():
                self._note(name, future, found)
        except KafkaException as error:
            raise translated(error) from None
        return found

    def _note(self, name: str, future: "concurrent.futures.Future[TopicDescription]", found: dict[str, Grant]) -> None:
        """A topic that may not even be described may not be written to, either; one that is not there is left out."""
        try:
            topic = future.result(timeout=ANSWER_SECONDS + PROBE_SECONDS)
            granted, kafka_id = topic.authorized_operations, uuid_of(topic.topic_id)
            may_write = None if granted is None else AclOperation.WRITE in granted
            found[name] = Grant(may_write, kafka_id if kafka_id.int else None)  # brokers before 2.8 have no ids
        except KafkaException as error:
            if error.args[0].code() in NO_SUCH_PARTITION:
                return
            problem = translated(error)
            if not isinstance(problem, KafkaRefused):
                raise problem from None
            found[name] = Grant(may_write=False)
        except concurrent.futures.TimeoutError:
            raise KafkaUnreachable("The client itself did not answer.") from None
