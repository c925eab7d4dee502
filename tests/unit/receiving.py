"""A receiver without network: the ASGI application is called as a server would call it."""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_publisher import MemoryPublisher
from collector.receive.http import HttpReceiver, Message
from collector.receive.origins import Origins
from collector.receive.reception import Reception
from collector.receive.senders import Senders

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Away(Exception):
    """The database does not answer."""


@dataclass(frozen=True)
class FoundToken:
    """What a token look-up brings."""

    public_id: str
    kind: str


@dataclass
class Tokens:
    """Tokens by text; `away`: the database does not answer; while somebody holds `hangs`, it answers nothing."""

    found: dict[str, FoundToken] = field(default_factory=dict)
    away: bool = False
    n_looked_up: int = 0
    hangs: threading.Lock = field(default_factory=threading.Lock)

    def find(self, text: str, _now: datetime) -> FoundToken | None:
        with self.hangs:
            self.n_looked_up += 1
        if self.away:
            raise Away
        return self.found.get(text)


@dataclass
class Clock:
    """A clock that a test moves."""

    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    code: int
    headers: dict[str, str]
    body: bytes

    def partial(self) -> tuple[int, str]:
        """Rejected spans and message of a success, in either encoding."""
        if self.headers["content-type"] == JSON:
            held = json.loads(self.body).get("partialSuccess", {})
            return int(held.get("rejectedSpans", 0)), held.get("errorMessage", "")
        response = ExportTraceServiceResponse.FromString(self.body)
        return response.partial_success.rejected_spans, response.partial_success.error_message

    def status(self) -> tuple[int, str]:
        """Code and message of an error, in either encoding."""
        if self.headers["content-type"] == JSON:
            held = json.loads(self.body)
            return held["code"], held["message"]
        message = Status.FromString(self.body)
        return message.code, message.message


class Receiver:
    """The application on a broker in memory."""

    def __init__(
        self,
        *,
        required: bool = False,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        holds: bool = False,
        most_waiting: int = 1000,
    ) -> None:
        self.clock = Clock()
        self.tokens = Tokens()
        self.broker = MemoryBroker()
        self.broker.create("weir.spool", n_partitions=3)
        self.publisher = MemoryPublisher(self.broker, holds=holds, most_waiting=most_waiting)
        self.reception = Reception(self.publisher, "weir.spool", self.clock.now, open=True)
        self.senders = Senders(
            self.tokens.find,
            required=required,
            away=(Away,),
            executor=ThreadPoolExecutor(1),
            now=self.clock.now,
        )
        rules = Origins(hosts, origins, any_host=required)
        self.app = HttpReceiver(self.reception, self.senders, rules, ThreadPoolExecutor(1))

    @property
    def records(self) -> list[tuple[bytes | None, bytes | None, dict[str, bytes | None]]]:
        """Key, value and headers of everything in the spool."""
        return [
            (record.key, record.value, dict(record.headers))
            for kept in self.broker.topics["weir.spool"].records
            for record in kept
        ]

    def post(self, body: bytes | Sequence[bytes], *, path: str = "/v1/traces", **headers: str) -> Answer:
        """POST `body` (its chunks, where it is a list) as protobuf to a loopback host unless told otherwise."""
        return self.ask("POST", path, body, **{"content_type": PROTOBUF, **headers})

    def ask(self, method: str, path: str, body: bytes | Sequence[bytes] = b"", **headers: str) -> Answer:
        """Any request. Header names with _ for -; a value of "" leaves the header out."""
        return asyncio.run(self._ask(method, path, [body] if isinstance(body, bytes) else list(body), headers))

    async def _ask(self, method: str, path: str, chunks: list[bytes], headers: dict[str, str]) -> Answer:
        given = {"host": "127.0.0.1:4318", **headers}
        scope = {
            "type": "http",
            "client": ("127.0.0.1", 1),
            "method": method,
            "path": path,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items() if value],
        }
        messages = [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
            for number, chunk in enumerate(chunks, 1)
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, rest = sent
        return Answer(
            start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, rest["body"]
        )
