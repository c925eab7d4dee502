"""gRPC calls that do not go on: they hold no thread for long, and none where the sender may not send."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.otlp.limits import MAX_BODY_BYTES
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


@pytest.mark.parametrize("packing", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_s59_a_message_beyond_the_cap_is_refused_however_small_it_was_packed(packing: grpc.Compression) -> None:
    receiver = Receiver()
    server, channel = channel_to(receiver)
    try:
        export = channel.unary_unary(PATH, None, None)
        with pytest.raises(grpc.RpcError) as raised:
            export(bytes(MAX_BODY_BYTES + 1), timeout=30, compression=packing)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError):
            export(BODY, timeout=30, metadata=(("x-much", "x" * 40_000),))
        assert export(BODY, timeout=30, compression=packing) == b""
        assert len(receiver.records) == 1
    finally:
        channel.close()
        server.stop(None).wait(10)


def test_s59_more_calls_than_may_run_are_told_to_keep_it_and_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """UNAVAILABLE with its delay: at RESOURCE_EXHAUSTED without one senders drop the data."""
    monkeypatch.setattr(grpc_service, "MOST_AT_ONCE", 2)
    receiver = Receiver(holds=True)  # Kafka acknowledges nothing yet
    server, channel = channel_to(receiver)
    try:
        export = channel.unary_unary(PATH, None, None)
        waiting = [export.future(BODY, timeout=60) for _ in range(2)]
        until = time.monotonic() + 30
        while receiver.reception.in_flight_bytes < 2 * len(BODY) and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(grpc.RpcError) as raised:
            export(BODY, timeout=30)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        (details,) = [each.value for each in raised.value.trailing_metadata() if each.key == "grpc-status-details-bin"]
        (retry,) = Status.FromString(details).details
        assert retry.Is(RetryInfo.DESCRIPTOR)
        receiver.publisher.report()
        assert [each.result(timeout=30) for each in waiting] == [b"", b""]
    finally:
        channel.close()
        server.stop(None).wait(10)
