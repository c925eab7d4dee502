"""The Publisher of real Kafka: one idempotent producer, acks from all replicas, a thread that hears the reports."""

import logging
import math
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from collector.domain.positions import Position
from collector.domain.resending import NO_TEXT, is_text
from collector.outages import Outage
from collector.ports import NotDelivered, NotTaken, Outgoing, QueueFull

log = logging.getLogger(__name__)

DELIVERY_SECONDS = 8.0  # below the ten seconds after which OpenTelemetry's exporters give up
MOST_BYTES = 1_000_000  # of a record: what brokers take unless they are told otherwise
LINGER_MS = 2
NOT_TAKEN = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})  # so it would be each time
ANY_PARTITION = -1  # librdkafka: the partitioner decides
PRODUCER: dict[str, str | int | bool] = {
    "enable.idempotence": True,  # implies acks=all
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # as Java's clients place a key
    "queue.buffering.max.kbytes": 131_072,
    "queue.buffering.max.messages": 100_000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "allow.auto.create.topics": False,  # the library's default is true: a topic deleted meanwhile would come back
}


class KafkaPublisher:
    """See collector.ports.Publisher. A new producer takes the place of one that cannot go on.

    That is one with a fatal error, and one that got nothing acknowledged while a record waited for its whole time: it
    may have lost Kafka for good (collector.kafka.log tells why). What is larger than `most_bytes` is not sent at all.
    """

    def __init__(
        self,
        properties: Mapping[str, str | int],
        *,
        delivery_seconds: float = DELIVERY_SECONDS,
        most_bytes: int = MOST_BYTES,
        linger_ms: int = LINGER_MS,
    ) -> None:
        limits = {
            "message.timeout.ms": int(delivery_seconds * 1000),
            "message.max.bytes": most_bytes,
            "linger.ms": linger_ms,  # records without a key stay on one partition for twice as long
        }
        self._properties = {**properties, **PRODUCER, **limits}
        self._lock = threading.Lock()
        self._outage = Outage(log, "Kafka")
        self._ends = Outage(log, "Kafka's client")  # its own: they must not go under in what is said of connections
        self._client = _Client(self._properties, self._outage, self._ends)

    def publish(self, record: Outgoing) -> Future[Position]:
        """Hand over one record; see the port."""
        if not is_text(record.headers):  # the client would crash the whole process
            raise NotDelivered(f"{record.topic}: {NO_TEXT}")
        with self._lock:
            if self._client.over is not None:
                text = "The producer cannot go on (%s); a new one takes its place."
                self._outage.log(logging.ERROR, text, self._client.over)
                self._client.abandon()
                self._client = _Client(self._properties, self._outage, self._ends)
            return self._client.publish(record)

    def close(self, *, wait_seconds: float) -> None:
        """Wait for what is under way, at most so long; what is left is NotDelivered."""
        with self._lock:
            self._client.close(wait_seconds=wait_seconds)


class _Client:
    """One librdkafka producer and the thread that serves its callbacks."""

    def __init__(self, properties: dict[str, str | int | bool], outage: Outage, ends: Outage) -> None:
        self.over: str | None = None  # why it is of no more use
        self._outage = outage
        self._ends = ends
        self._acknowledged_at = -math.inf
        self._closing = threading.Event()
        self._producer = Producer({**properties, "error_cb": self._note}, logger=outage)
        self._thread = threading.Thread(target=self._serve, name="kafka-delivery-reports", daemon=True)
        self._thread.start()

    def publish(self, record: Outgoing) -> Future[Position]:
        future: Future[Position] = Future()
        future.set_running_or_notify_cancel()  # who waits may go away; the report comes all the same
        queued_at = time.monotonic()

        def report(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            self._judge(error, queued_at)
            if error is None and partition is not None and offset is not None:
                future.set_result(Position(record.topic, partition, offset))
            else:
                kind = NotTaken if error is not None and error.code() in NOT_TAKEN else NotDelivered
                future.set_exception(kind(f"{record.topic}: {error.str() if error else 'no position came'}"))

        try:
            self._producer.produce(
                record.topic,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                on_delivery=report,
                partition=ANY_PARTITION if record.partition is None else record.partition,
            )
        except BufferError:
            raise QueueFull("Too much waits to be sent to Kafka already.") from None
        except KafkaException as error:
            raise NotDelivered(f"{record.topic}: {error.args[0].str()}") from None
        return future

    def abandon(self) -> None:
        """Give up what waits; its futures end as NotDelivered."""
        self._producer.purge()
        self._closing.set()

    def close(self, *, wait_seconds: float) -> None:
        self._producer.flush(wait_seconds)
        self.abandon()
        self._thread.join(timeout=1)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(0.1)
            except KafkaException as error:  # so the client tells of a fatal error, once
                self._end(error.args[0])
            if self.over is not None:
                self._producer.purge()  # nothing else would ever end what waits
        with suppress(KafkaException):  # purged records report once more
            self._producer.poll(0)

    def _judge(self, error: KafkaError | None, queued_at: float) -> None:
        if error is None:
            self._acknowledged_at = time.monotonic()
            self._outage.answered()
        elif error.code() == KafkaError._MSG_TIMED_OUT:
            self._outage.failed()
            if self._acknowledged_at < queued_at:
                self.over = "Kafka acknowledged nothing"

    def _note(self, error: KafkaError) -> None:
        if error.fatal():
            self._end(error)
        else:
            self._outage.log(logging.INFO, "Kafka: %s", error.str())

    def _end(self, error: KafkaError) -> None:
        self.over = error.str()
        self._ends.log(logging.ERROR, "Kafka's client cannot go on: %s", self.over)
