"""One request in, its records in Kafka: parse, split, publish, and say "taken" only when all are acknowledged."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from collector.domain.positions import Position
from collector.otlp import Malformed, Parts, parts_of_json, parts_of_protobuf
from collector.otlp.limits import MAX_BODY_BYTES
from collector.ports import NotDelivered, Outgoing, Publisher, QueueFull
from collector.receive.allowances import Allowances
from collector.receive.answers import Form, busy, malformed
from collector.receive.refusals import Refused

MOST_IN_FLIGHT_BYTES = 64 * 1024 * 1024
LARGE_BYTES = 1024 * 1024
DELIVERY_SECONDS = 30.0  # the publisher's own limit ends a wait long before
TOO_MUCH = "The receiver holds as much as it may. Try again in a moment."
NO_KAFKA = "Kafka did not acknowledge. Nothing is lost if you send it again."


@dataclass(slots=True)
class Counters:
    """What happened since the start; read by the report."""

    n_requests: int = 0
    n_spans: int = 0
    n_rejected: int = 0
    n_bytes: int = 0
    n_refused: int = 0  # answered 503: the sender keeps it
    last_taken_at: datetime | None = None
    last_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the sender is told once `acknowledged` is there."""

    n_rejected: int
    reason: str
    acknowledged: tuple[Future[Position], ...]


@dataclass
class Reception:
    """Shared by OTLP/HTTP and OTLP/gRPC; any thread may call it. `open` is false until the spool topic is there."""

    publisher: Publisher
    topic: str
    now: Callable[[], datetime]
    open: bool = False
    allowances: Allowances | None = None
    counters: Counters = field(default_factory=Counters)
    _in_flight_bytes: int = 0
    _failing: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _large: threading.Lock = field(default_factory=threading.Lock)

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of bodies that are being read, parsed, or wait for Kafka."""
        return self._in_flight_bytes

    @contextmanager
    def budget(self) -> Iterator["Budget"]:
        """Room for one request; given back at the end."""
        budget = Budget(self)
        try:
            yield budget
        finally:
            self._move(-budget.n_bytes)

    def accept(self, body: bytes, form: Form, source: str) -> Accepted:
        """Parse one unpacked body and hand its records to Kafka. Blocks while another large one is parsed.

        Raises Refused: 400 for what is not OTLP, 429 for a source that sends more than it may, 503 while there is no
        spool or its queue is full.
        """
        if not self.open:
            raise self.refusal("The spool is not ready yet. Try again in a moment.")
        if self.allowances:
            self.allowances.check(source)
        try:
            if len(body) > LARGE_BYTES:
                with self._large:
                    parts = _parts(body, form)
            else:
                parts = _parts(body, form)
        except Malformed as error:
            raise malformed(str(error)) from None
        acknowledged = self._publish(parts, body, source)
        if self.allowances:
            self.allowances.spend(source, n_spans=parts.n_spans, n_bytes=len(body))
        with self._lock:
            self.counters.n_requests += 1
            self.counters.n_bytes += len(body)
            self.counters.n_spans += parts.n_spans
            self.counters.n_rejected += parts.n_rejected
        return Accepted(parts.n_rejected, parts.reason, acknowledged)

    def refusal(self, message: str) -> Refused:
        """A 503 that is counted."""
        with self._lock:
            self.counters.n_refused += 1
        return busy(message)

    def note_outcome(self, *, taken: bool) -> None:
        """Kafka acknowledged all records of a request, or did not: what /health/ready answers by."""
        now = self.now()
        with self._lock:
            self._failing = not taken
            if taken:
                self.counters.last_taken_at = now
            else:
                self.counters.last_failed_at = now

    @property
    def ready(self) -> bool:
        """True when the spool is there and Kafka acknowledged the newest request that it was asked to."""
        return self.open and not self._failing

    def _publish(self, parts: Parts, body: bytes, source: str) -> tuple[Future[Position], ...]:
        digest = hashlib.blake2b(body, digest_size=16).digest()
        received_at = self.now().isoformat().encode()
        futures: list[Future[Position]] = []
        try:
            for number, part in enumerate(parts.parts):
                headers = (
                    ("digest", digest),
                    ("source", source.encode()),
                    ("received_at", received_at),
                    ("part", f"{number}/{len(parts.parts)}".encode()),
                )
                # without a key: what comes together goes to one partition, in one request to Kafka
                futures.append(self.publisher.publish(Outgoing(self.topic, None, part, headers)))
        except QueueFull as error:
            raise self.refusal(str(error)) from None
        except NotDelivered as error:
            self.note_outcome(taken=False)
            raise self.refusal(f"{NO_KAFKA} ({error})") from None
        return tuple(futures)

    def _move(self, n_bytes: int) -> bool:
        with self._lock:
            if n_bytes > 0 and self._in_flight_bytes + n_bytes > MOST_IN_FLIGHT_BYTES:
                return False
            self._in_flight_bytes += n_bytes
            return True

    def _grow(self, n_bytes: int) -> None:
        if not self._move(n_bytes):
            raise self.refusal(TOO_MUCH)


@dataclass
class Budget:
    """What one request holds of the bytes that all may hold together."""

    _reception: Reception
    n_bytes: int = 0

    def grow(self, n_bytes: int) -> None:
        """Hold so many bytes more. Raises Refused (503) when there is no room."""
        self._reception._grow(n_bytes)
        self.n_bytes += n_bytes


def _parts(body: bytes, form: Form) -> Parts:
    if len(body) > MAX_BODY_BYTES:
        raise Malformed(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return parts_of_json(body) if form is Form.JSON else parts_of_protobuf(body)
