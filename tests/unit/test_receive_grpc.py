"""gRPC calls that do not go on: they hold no thread for long, and none where the sender may not send."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from collector.receive import grpc_service
from collector.receive.grpc_service import MOST_AT_ONCE, GrpcReceiver
from tests.unit.otlp_samples import of
from tests.unit.receiving import Receiver

BODY = of("watcher")[0].body
PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SILENT = MOST_AT_ONCE + 16  # more than there are threads


def channel_to(receiver: Receiver) -> tuple[grpc.Server, grpc.Channel]:
    server = GrpcReceiver(receiver.reception, receiver.senders).server()
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, grpc.insecure_channel(f"127.0.0.1:{port}")


def silent_calls(channel: grpc.Channel, over: threading.Event) -> list[Any]:
    def none() -> Iterator[bytes]:
        over.wait(60)
        yield from ()

    start = channel.stream_unary(PATH, None, None)
    return [start.future(none(), timeout=60) for _ in range(SILENT)]


def test_calls_whose_message_does_not_come_end_and_let_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_service, "MESSAGE_SECONDS", 0.5)
    receiver, over = Receiver(), threading.Event()
    server, channel = channel_to(receiver)
    try:
        calls = silent_calls(channel, over)
        assert channel.unary_unary(PATH, None, None)(BODY, timeout=30) == b""
        assert {call.code() for call in calls} == {grpc.StatusCode.CANCELLED}
        assert len(receiver.records) == 1
    finally:
        over.set()
        channel.close()
        server.stop(None).wait(10)


def test_who_may_not_send_is_told_before_a_message_comes() -> None:
    receiver, over = Receiver(required=True), threading.Event()
    server, channel = channel_to(receiver)
    try:
        calls = silent_calls(channel, over)
        assert {call.code() for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
    finally:
        over.set()
        channel.close()
        server.stop(None).wait(10)


def test_a_call_without_a_message_is_refused() -> None:
    server, channel = channel_to(Receiver())
    try:
        with pytest.raises(grpc.RpcError) as raised:
            channel.stream_unary(PATH, None, None)(iter(()), timeout=30)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    finally:
        channel.close()
        server.stop(None).wait(10)
