"""OTLP over gRPC: the trace service, and the metrics and logs services, whose data is not kept."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import grpc

from collector.otlp.limits import MAX_BODY_BYTES
from collector.ports import NotDelivered
from collector.receive.answers import Form, status_message, taken
from collector.receive.deadlines import Deadlines
from collector.receive.origins import FROM_A_PAGE
from collector.receive.reception import DELIVERY_SECONDS, NO_KAFKA, TOO_MUCH, Reception
from collector.receive.refusals import INVALID_ARGUMENT, PERMISSION_DENIED, Refused
from collector.receive.senders import LOOK_UP_SECONDS, Senders

log = logging.getLogger(__name__)

PACKAGE = "opentelemetry.proto.collector"
DROPPED = (f"{PACKAGE}.metrics.v1.MetricsService", f"{PACKAGE}.logs.v1.LogsService")
MOST_AT_ONCE = 24
MESSAGE_SECONDS = 30.0  # as a body has over HTTP
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.max_connection_idle_ms", 60_000),
    ("grpc.so_reuseport", 0),
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}
Handler = Callable[[Iterator[bytes], grpc.ServicerContext], bytes]


class GrpcReceiver:
    """The handlers. At most MOST_AT_ONCE run; more are told UNAVAILABLE, which senders take for "keep it".

    (grpc's own limit answers RESOURCE_EXHAUSTED, at which senders drop the data.) The one message of a call is read by
    us: who may not send is told so before it, and who does not send it holds a thread for MESSAGE_SECONDS only.
    """

    def __init__(self, reception: Reception, senders: Senders) -> None:
        self._reception = reception
        self._senders = senders
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._deadlines = Deadlines(MESSAGE_SECONDS)

    def server(self) -> grpc.Server:
        """A server with these handlers; not started, no port yet."""
        server = grpc.server(ThreadPoolExecutor(MOST_AT_ONCE + 8, thread_name_prefix="otlp-grpc"), options=OPTIONS)
        services = {f"{PACKAGE}.trace.v1.TraceService": self.take} | dict.fromkeys(DROPPED, self.drop)
        for name, handler in services.items():
            method = grpc.stream_unary_rpc_method_handler(handler)
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, {"Export": method})])
        return server

    def take(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """TraceService/Export: answers when Kafka has it."""
        try:
            source = self._source(context)
            body = self._message(messages, context)
            with self._entered():
                return self._take(body, source)
        except Refused as refused:
            _abort(context, refused)

    def drop(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """MetricsService and LogsService/Export: a success, so that senders do not try again."""
        try:
            self._source(context)
            self._message(messages, context)
        except Refused as refused:
            _abort(context, refused)
        return b""

    def _message(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """The first. Raises grpc.RpcError where the call ended before, Refused where it has none."""
        with self._deadlines.within(context):
            for body in messages:
                return body
        raise Refused(400, INVALID_ARGUMENT, "The request has no message.")

    @contextmanager
    def _entered(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise self._reception.refusal(TOO_MUCH)
        try:
            yield
        finally:
            self._room.release()

    def _take(self, body: bytes, source: str) -> bytes:
        with self._reception.budget() as budget:
            budget.grow(len(body))
            accepted = self._reception.accept(body, Form.PROTOBUF, source)
            try:
                for future in accepted.acknowledged:
                    future.result(timeout=DELIVERY_SECONDS)
            except (NotDelivered, TimeoutError) as error:
                log.warning("Not acknowledged: %s", error)
                self._reception.note_outcome(taken=False)
                raise self._reception.refusal(NO_KAFKA) from None
            if accepted.acknowledged:
                self._reception.note_outcome(taken=True)
            return taken(Form.PROTOBUF, accepted.n_rejected, accepted.reason)

    def _source(self, context: grpc.ServicerContext) -> str:
        metadata = {key: value for key, value in context.invocation_metadata() or ()}
        if "origin" in metadata or any(key.startswith("sec-fetch-") for key in metadata):
            raise Refused(403, PERMISSION_DENIED, FROM_A_PAGE)
        authorization = metadata.get("authorization")
        text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
        found = self._senders.source(text)
        if not isinstance(found, Future):
            return found
        try:
            return found.result(timeout=LOOK_UP_SECONDS)
        except TimeoutError:
            return self._senders.remembered(text or "")


def _abort(context: grpc.ServicerContext, refused: Refused) -> NoReturn:
    context.set_trailing_metadata((("grpc-status-details-bin", status_message(refused)),))
    context.abort(_CODES[refused.code], refused.message)
    raise AssertionError("abort always raises")
