"""Servers and Weir's processes under a supervisor, each of which may be killed at any time; and who sends to them."""

import contextlib
import http.client
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import grpc
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.domain.hops import Hop, hops
from collector.otlp import decode_protobuf
from collector.ports import NotDelivered, Outgoing, Publisher, QueueFull
from stack import cache, kafka, places, postgres
from stack.environment import server_environment
from stack.part import Part
from stack.ports import free_port
from stack.supervisor import Supervisor
from stack.weir_parts import announced, forgets
from tests.unit.otlp_samples import samples

ROOT = Path(__file__).resolve().parents[2]
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SERVING = ("collect-1", "collect-2", "receive", "fold", "sample")
# How often each is killed, as parts of all kills. A backend's end makes Postgres start itself anew.
VICTIMS = {"collect-1": 3, "collect-2": 3, "receive": 3, "fold": 2, "postgres": 2, "backend": 2, "kafka": 2}
LETTER = (
    ("kafka_dlt-original-partition", (0).to_bytes(4, "big")),
    ("kafka_dlt-exception-fqcn", b"shop.CardDeclined"),
    ("kafka_dlt-exception-message", b"no"),
)


@dataclass(frozen=True)
class Crashing:
    """Everything that runs. Call from the main thread."""

    supervisor: Supervisor
    database_url: str
    bootstrap: str
    http_port: int
    grpc_port: int

    def kill(self, dice: random.Random) -> str:
        """SIGKILL to one of them, drawn; who it was. It is started again at once."""
        victim = dice.choices(list(VICTIMS), list(VICTIMS.values()))[0]
        life = self.supervisor.lives["postgres" if victim == "backend" else victim]
        life.failures = 0  # no pause that grows with each death
        if life.pid is None:
            return f"{victim}, which was dead"
        if victim == "backend":
            with contextlib.suppress(psutil.Error, IndexError):
                dice.choice(psutil.Process(life.pid).children()).kill()
        else:
            self.supervisor.kill_part(victim)
        return victim

    def run_for(self, seconds: float) -> None:
        """Let the supervisor do its work for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.supervisor.tick()
            time.sleep(0.02)


@contextlib.contextmanager
def crashing(folder: Path) -> Iterator[Crashing]:
    """Postgres and Kafka with their settings of production, receiver, two collectors, folder and sampler."""
    fetched = cache.filled(os.environ, say=lambda _: None)
    place = places.made_data_folder(folder / "crash")
    store = postgres.embedded(place / "pg", port=free_port())
    broker = kafka.embedded(
        place / "kafka",
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        ports=(free_port(), free_port()),
        asks_password=False,
    )
    common = server_environment(os.environ)
    http_port, grpc_port = free_port(), free_port()
    env = {
        **common,
        "DATABASE_URL": store.url,
        "SECRET_KEY": "s" * 64,
        "WEIR_DATA_DIR": str(place),
        "WEIR_KAFKA_BOOTSTRAP": broker.bootstrap,
        "WEIR_OTLP_HTTP_PORT": str(http_port),
        "WEIR_OTLP_GRPC_PORT": str(grpc_port),
        "WEIR_SAMPLE_SECONDS": "1",
    }
    parts = (
        *store.parts(env=common),
        *broker.parts(env=common),
        _command("migrate", env, place, after=("postgres",), once=True),
        *(_command(name, env, place, after=("migrate", "kafka")) for name in SERVING),
    )
    supervisor = Supervisor(parts, places.made_private(place / "logs"), say=lambda _: None)
    try:
        supervisor.start()
        yield Crashing(supervisor, store.url, broker.bootstrap, http_port, grpc_port)
    finally:
        supervisor.stop()
        postgres.remove_outside(place / "pg")


def _command(name: str, env: dict[str, str], place: Path, *, after: tuple[str, ...], once: bool = False) -> Part:
    ready_file = place / f"{name}.ready"
    command = name.partition("-")[0]
    return Part(
        name=name,
        argv=(sys.executable, "-u", "manage.py", command, *(("-v0",) if once else ())),
        env=env if once else {**env, "WEIR_READY_FILE": str(ready_file)},
        cwd=ROOT,
        after=after,
        once=once,
        prepare=forgets(ready_file),
        ready=announced(ready_file),
    )


# Senders ----------------------------------------------------------------------------------------------------------

Edge = tuple[int, str, str, str, str]  # kind, the service's namespace and name, topic, group


@dataclass
class Truth:
    """What was acknowledged: ids of spans, and what they count for per edge."""

    spans: set[bytes] = field(default_factory=set)
    edges: Counter[Edge] = field(default_factory=Counter)
    n_again: int = 0  # requests that were sent more than once
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, ids: list[bytes], edges: Counter[Edge], *, n_tries: int) -> None:
        """One more request that was answered with 200."""
        with self._lock:
            self.spans.update(ids)
            self.edges += edges
            self.n_again += n_tries > 1


@dataclass(frozen=True)
class Template:
    """A real request, and what it counts for whatever its ids are."""

    message: TracesData
    edges: Counter[Edge]

    def drawn(self, dice: random.Random) -> tuple[bytes, list[bytes]]:
        """The same request of this moment with ids of its own, and the ids of its spans."""
        salt, message = dice.randbytes(16), TracesData()
        message.CopyFrom(self.message)
        spans = [span for one in message.resource_spans for scoped in one.scope_spans for span in scoped.spans]
        shift = time.time_ns() - max(span.end_time_unix_nano for span in spans)
        for span in spans:
            span.trace_id = _salted(span.trace_id, salt)
            span.start_time_unix_nano += shift
            span.end_time_unix_nano += shift
            for link in span.links:
                link.trace_id = _salted(link.trace_id, salt)
        return message.SerializeToString(), [span.trace_id + span.span_id for span in spans]


def templates() -> list[Template]:
    """All samples of real senders."""
    return [Template(TracesData.FromString(one.body), _edges(one.body)) for one in samples()]


def _salted(trace_id: bytes, salt: bytes) -> bytes:
    return blake2b(trace_id, key=salt, digest_size=16).digest()


def _edges(body: bytes) -> Counter[Edge]:
    spans = decode_protobuf(body).spans
    found: Counter[Edge] = Counter()
    for span, hop in zip(spans, hops(spans), strict=True):
        if hop and hop.edge and hop.n_messages:
            who = span.resource
            found[int(hop.edge), who.namespace, who.name, hop.topic or "", _group(hop)] += hop.n_messages
    return found


def _group(hop: Hop) -> str:
    return (hop.group or "") if hop.edge and hop.edge.name == "CONSUME" else ""


class Sender(threading.Thread):
    """Sends requests, each until it is acknowledged, as an SDK does; one in ten once more after that."""

    def __init__(self, world: Crashing, truth: Truth, made: list[Template], seed: int, *, by_grpc: bool) -> None:
        super().__init__(daemon=True)
        self._dice = random.Random(seed)
        self._world = world
        self._truth = truth
        self._templates = made
        self._channel = grpc.insecure_channel(f"127.0.0.1:{world.grpc_port}") if by_grpc else None
        self.ends = threading.Event()

    def run(self) -> None:
        """Until it is told to end, and then until what is under way is acknowledged."""
        while not self.ends.is_set():
            template = self._dice.choice(self._templates)
            body, ids = template.drawn(self._dice)
            n_tries = self._deliver(body)
            if self._dice.random() < 0.1:
                n_tries += self._deliver(body)
            self._truth.add(ids, template.edges, n_tries=n_tries)
            time.sleep(self._dice.uniform(0.0, 0.05))

    def _deliver(self, body: bytes) -> int:
        n_tries = 1
        while not (self._called(body) if self._channel else self._posted(body)):
            n_tries += 1
            time.sleep(0.1)
        return n_tries

    def _posted(self, body: bytes) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._world.http_port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException):
                return False
        assert answer.status in (200, 503), said
        return answer.status == 200

    def _called(self, body: bytes) -> bool:
        assert self._channel
        try:
            said = self._channel.unary_unary(EXPORT, None, ExportTraceServiceResponse.FromString)(body, timeout=60)
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                return False
            raise
        return not said.HasField("partial_success")


class Business(threading.Thread):
    """Writes records and dead letters; which of them got through while Kafka was killed, the topics themselves say."""

    def __init__(self, publisher: Publisher, topic: str, letters: str, garbage: bytes) -> None:
        super().__init__(daemon=True)
        self._publisher = publisher
        self._topic, self._letters, self._garbage = topic, letters, garbage
        self.ends = threading.Event()

    def run(self) -> None:
        """Until it is told to end."""
        number = 0
        while not self.ends.is_set():
            number += 1
            key = f"o-{number}".encode()
            records = [Outgoing(self._topic, key, b"{}", (("order-id", key),))]
            if number % 10 == 0:
                headers = (*LETTER, ("kafka_dlt-original-topic", self._topic.encode()))
                records.append(Outgoing(self._letters, key, b"{}", headers))
                records.append(Outgoing("weir.spool", number.to_bytes(16, "big"), self._garbage, ()))
            for record in records:
                with contextlib.suppress(NotDelivered, QueueFull):
                    self._publisher.publish(record)
            time.sleep(0.02)
