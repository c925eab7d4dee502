"""The first record at a position: one consumer without a group's ways, assigned by hand for each question."""

import logging
import time
from collections.abc import Mapping

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from collector.domain.lag import FirstUnread
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION, translated
from collector.ports import Partition

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
_WAIT_SECONDS = 0.1
CONSUMER: dict[str, str | int | bool] = {
    "group.id": "weir-sampler",  # the client wants one; nothing is ever committed to it
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "fetch.wait.max.ms": 10,  # an end is answered at once
    "max.partition.fetch.bytes": 65_536,
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 1_024,
    "log_level": 0,  # every failure comes back to the caller
}


class KafkaFirstRecords:
    """See collector.ports.FirstRecords. Not for several threads."""

    def __init__(self, properties: Mapping[str, str | int]) -> None:
        self._properties = properties
        self._consumer: Consumer | None = None

    def first_unread(self, positions: Mapping[Partition, int]) -> dict[Partition, FirstUnread]:
        """See FirstRecords."""
        found: dict[Partition, FirstUnread] = {}
        if not positions:
            return found
        if self._consumer is None:
            self._consumer = Consumer({**self._properties, **CONSUMER}, logger=log)
        deadline = time.monotonic() + ANSWER_SECONDS
        waiting = set(positions)
        try:
            self._consumer.assign([TopicPartition(*place, position) for place, position in positions.items()])
            while waiting and time.monotonic() < deadline:
                for message in self._consumer.consume(len(positions), _WAIT_SECONDS):
                    place = Partition(message.topic() or "", message.partition() or 0)
                    if place in waiting:
                        waiting.discard(place)
                        self._keep(message, place, found)
            self._consumer.unassign()
        except KafkaException as error:
            self.close()
            raise translated(error) from error
        return found

    def close(self) -> None:
        """See FirstRecords."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _keep(self, message: Message, place: Partition, found: dict[Partition, FirstUnread]) -> None:
        """One answer of one partition; a position that is gone, or a topic that is, is no answer."""
        error, offset = message.error(), message.offset()
        if offset is None:
            return
        if error is None:
            kind, milliseconds = message.timestamp()
            written_at = None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
            found[place] = FirstUnread(offset, written_at, offset + 1)
        elif error.code() == KafkaError._PARTITION_EOF:
            found[place] = FirstUnread(None, None, offset)
        elif error.code() not in NO_SUCH_OFFSET | NO_SUCH_PARTITION:
            log.info("%s/%d was not read: %s", place.topic, place.number, error)
