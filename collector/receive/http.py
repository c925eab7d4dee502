"""OTLP over HTTP, as a bare ASGI application (OpenTelemetry protocol 1.11, "OTLP/HTTP")."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from collector import telemetry
from collector.domain.positions import Position
from collector.otlp.limits import MAX_BODY_BYTES
from collector.ports import NotDelivered
from collector.receive.answers import Form, malformed, status, taken, too_large
from collector.receive.origins import Origins
from collector.receive.reception import DELIVERY_SECONDS, NO_KAFKA, Budget, Reception
from collector.receive.refusals import (
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Refused,
)
from collector.receive.senders import LOOK_UP_SECONDS, Senders
from collector.receive.unpacking import BadCoding, TooLarge, UnknownCoding, check_coding, unpacked

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_SECONDS = 30.0
INLINE_BYTES = 256 * 1024  # unpacked and parsed at once on the loop (about 3 ms); larger bodies go to a thread
TRACES, DROPPED = "/v1/traces", frozenset({"/v1/metrics", "/v1/logs", "/v1development/profiles"})
LIVE, READY, METRICS = "/health/live", "/health/ready", "/metrics"
OWN = "Weir's own spans are not taken: it would draw itself. Send them to another OpenTelemetry Collector."


class _Gone(Exception):
    """The sender hung up before its request was whole: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The headers of one request, names in lower case."""

    all: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The first value of this name, or None."""
        return next((value for found, value in self.all if found == name), None)

    def every(self, name: str) -> list[str]:
        """All values of this name."""
        return [value for found, value in self.all if found == name]

    @property
    def media_type(self) -> str:
        """The content type without its parameters (a charset may follow)."""
        return (self.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def form(self) -> Form:
        """The encoding to answer in: the request's, or JSON where it has none of OTLP's."""
        return Form.PROTOBUF if self.media_type == Form.PROTOBUF else Form.JSON


class HttpReceiver:
    """The ASGI application. `workers` parses large bodies."""

    def __init__(
        self, reception: Reception, senders: Senders, origins: Origins, workers: Executor, *, metrics_token: str = ""
    ) -> None:
        self._reception = reception
        self._senders = senders
        self._origins = origins
        self._workers = workers
        self._unpackers = ThreadPoolExecutor(1, "receive-unpack")  # beside: who parses may take long
        self._metrics_token = metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        heads = Heads(tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]))
        client = scope["client"][0] if scope.get("client") else ""
        try:
            if scope["path"] == METRICS:
                await self._expose(send, scope["method"], heads, client)
                return
            body = await self._answer(scope["method"], scope["path"], heads, receive)
        except Refused as refused:
            await _send_refusal(send, heads.form, refused)
        except _Gone:
            return
        else:
            await _send(send, 200, heads.form, body)

    async def _expose(self, send: Send, method: str, heads: Heads, client: str) -> None:
        """The process's numbers, for Prometheus on this machine or with the token."""
        self._check_origin(heads)
        _check_get(method)
        if not telemetry.may_read(client, heads.get("authorization") or "", self._metrics_token):
            raise Refused(401, UNAUTHENTICATED, "Send WEIR_METRICS_TOKEN as a bearer token.")
        body = telemetry.exposition()
        headers = [(b"content-type", telemetry.EXPOSITION.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _check_origin(self, heads: Heads) -> None:
        fetched = any(name.startswith("sec-fetch-") for name, _ in heads.all)
        self._origins.check(heads.every("host"), heads.get("origin"), fetched_by_a_page=fetched)

    async def _answer(self, method: str, path: str, heads: Heads, receive: Receive) -> bytes:
        self._check_origin(heads)
        if path in (LIVE, READY):
            return self._health(method, path)
        if path != TRACES and path not in DROPPED:
            raise Refused(404, UNIMPLEMENTED, f"There is no {path[:100]} here. Traces go to {TRACES}.")
        if method != "POST":
            raise Refused(405, UNIMPLEMENTED, "Send it by POST.")
        if heads.get(telemetry.OWN_HEADER) is not None:
            raise Refused(403, PERMISSION_DENIED, OWN)
        if heads.media_type not in (Form.PROTOBUF, Form.JSON):
            raise Refused(415, INVALID_ARGUMENT, f"Content-Type must be {Form.PROTOBUF} or {Form.JSON}.")
        source = await self._source(heads.get("authorization"))
        with self._reception.budget() as budget:
            body = await _body(heads, receive, budget, self._unpackers)
            return taken(heads.form) if path in DROPPED else await self._take(body, heads.form, source)

    def _health(self, method: str, path: str) -> bytes:
        _check_get(method)
        if path == READY and not self._reception.ready:
            raise Refused(503, UNAVAILABLE, "The spool in Kafka does not take records now.", 5)
        return b'{"status":"ok"}'

    async def _source(self, authorization: str | None) -> str:
        found = self._senders.source(authorization)
        if not isinstance(found, Future):
            return found
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await asyncio.wrap_future(found)
        except TimeoutError:
            return self._senders.remembered(authorization or "")

    async def _take(self, body: bytes, form: Form, source: str) -> bytes:
        if len(body) > INLINE_BYTES:
            loop = asyncio.get_running_loop()
            accepted = await loop.run_in_executor(self._workers, self._reception.accept, body, form, source)
        else:
            accepted = self._reception.accept(body, form, source)
        if accepted.acknowledged and not await _all_delivered(accepted.acknowledged):
            self._reception.note_outcome(taken=False)
            raise self._reception.refusal(NO_KAFKA)
        if accepted.acknowledged:
            self._reception.note_outcome(taken=True)
        return taken(form, accepted.n_rejected, accepted.reason)


def _check_get(method: str) -> None:
    if method not in ("GET", "HEAD"):
        raise Refused(405, UNIMPLEMENTED, "Ask by GET.")


async def _all_delivered(futures: tuple[Future[Position], ...]) -> bool:
    waited = asyncio.gather(*(asyncio.wrap_future(future) for future in futures), return_exceptions=True)
    try:
        async with asyncio.timeout(DELIVERY_SECONDS):
            outcomes = await waited
    except TimeoutError:
        log.warning("Not acknowledged, and nobody says why")
        return False
    for outcome in outcomes:
        if isinstance(outcome, NotDelivered):
            log.warning("Not acknowledged: %s", outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
    return not any(isinstance(outcome, NotDelivered) for outcome in outcomes)


async def _body(heads: Heads, receive: Receive, budget: Budget, unpackers: Executor) -> bytes:
    """The whole body, unpacked. Its size counts against the budget while it comes in."""
    coding = (heads.get("content-encoding") or "").strip().lower()
    try:
        check_coding(coding)
    except UnknownCoding as error:
        raise Refused(415, INVALID_ARGUMENT, str(error)) from None
    declared = heads.get("content-length") or "0"
    if declared.isdigit() and int(declared[:20]) > MAX_BODY_BYTES:
        raise too_large(MAX_BODY_BYTES)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            packed = await _packed(receive, budget)
    except TimeoutError:
        raise Refused(408, INVALID_ARGUMENT, f"The body did not come within {BODY_SECONDS:g} s.") from None
    try:
        body = await _unpacked(packed, coding, unpackers)
    except TooLarge:
        raise too_large(MAX_BODY_BYTES) from None
    except BadCoding as error:
        raise malformed(str(error)) from None
    if body is not packed:
        budget.grow(len(body))
    return body


async def _unpacked(packed: bytes, coding: str, unpackers: Executor) -> bytes:
    try:
        return unpacked(packed, coding, limit_bytes=INLINE_BYTES)
    except TooLarge:  # how large it becomes is not known before: a few hundred bytes may be many megabytes
        whole = partial(unpacked, packed, coding, limit_bytes=MAX_BODY_BYTES)
        return await asyncio.get_running_loop().run_in_executor(unpackers, whole)


async def _packed(receive: Receive, budget: Budget) -> bytes:
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        step = message.get("body", b"")
        if len(found) + len(step) > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        budget.grow(len(step))
        found += step
        if not message.get("more_body", False):
            return bytes(found)


async def _send_refusal(send: Send, form: Form, refused: Refused) -> None:
    """Errors close the connection: the rest of a body that nobody reads would have to be read otherwise."""
    extra = [(b"connection", b"close")]
    if refused.http_status == 405:
        extra.append((b"allow", b"GET" if refused.message.endswith("GET.") else b"POST"))
    if refused.http_status == 401:
        extra.append((b"www-authenticate", b"Bearer"))
    if refused.retry_seconds is not None:
        extra.append((b"retry-after", str(refused.retry_seconds).encode()))
    await _send(send, refused.http_status, form, status(form, refused), extra)


async def _send(send: Send, code: int, form: Form, body: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    headers = [
        (b"content-type", form.value.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *(extra or []),
    ]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
