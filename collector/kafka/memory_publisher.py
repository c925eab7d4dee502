"""The Publisher's in-memory twin (tests/contract/test_publisher.py)."""

import zlib
from concurrent.futures import Future

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.ports import NotDelivered, NotTaken, Outgoing, QueueFull

MAX_RECORD_BYTES = 1_000_000


class MemoryPublisher:
    """See collector.ports.Publisher. `holds`: reports wait until `report` is called, as on a slow broker."""

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        holds: bool = False,
        most_waiting: int = 1000,
        most_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._most_bytes = most_bytes
        self._broker = broker
        self._holds = holds
        self._most_waiting = most_waiting
        self._waiting: list[tuple[Outgoing, Future[Position]]] = []

    def publish(self, record: Outgoing) -> Future[Position]:
        """Hand over one record; see the port."""
        if len(record.value or b"") > self._most_bytes:
            raise NotDelivered(f"{record.topic}: the record is larger than the broker takes")
        if len(self._waiting) >= self._most_waiting:
            raise QueueFull("Too much waits to be sent to Kafka already.")
        future: Future[Position] = Future()
        future.set_running_or_notify_cancel()
        self._waiting.append((record, future))
        if not self._holds:
            self.report()
        return future

    def report(self) -> None:
        """Answer all that waits: with its position while the broker is up, else with NotDelivered."""
        waiting, self._waiting = self._waiting, []
        for record, future in waiting:
            topic = self._broker.topics.get(record.topic)
            if not self._broker.up or topic is None:
                future.set_exception(NotDelivered(f"{record.topic}: the broker does not answer, or has no such topic"))
                continue
            if len(record.value or b"") > MAX_RECORD_BYTES:
                future.set_exception(NotTaken(f"{record.topic}: the record is larger than the topic takes"))
                continue
            place = record.partition
            if place is None:
                place = zlib.crc32(record.key or b"") % len(topic.records)
            kept = Record(
                topic=record.topic,
                partition=place,
                offset=0,
                produced_at=None,
                timestamp_type=0,
                key=record.key,
                value=record.value,
                headers=record.headers,
            )
            future.set_result(Position(record.topic, place, self._broker.append(kept)))

    def close(self, *, wait_seconds: float) -> None:  # noqa: ARG002  nothing is under way here
        """What still waits is not delivered."""
        waiting, self._waiting = self._waiting, []
        for record, future in waiting:
            future.set_exception(NotDelivered(f"{record.topic}: the publisher was closed"))
