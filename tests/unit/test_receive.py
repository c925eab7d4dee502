"""What the receiver takes, what it refuses, and in which words."""

import gzip
import json
import threading
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from collector.otlp import decode_protobuf
from collector.otlp.limits import MAX_BODY_BYTES
from collector.receive import http
from collector.receive.reception import MOST_IN_FLIGHT_BYTES
from collector.receive.unpacking import BadCoding, TooLarge, unpacked
from tests.unit.otlp_samples import of
from tests.unit.receiving import JSON, PROTOBUF, FoundToken, Receiver
from tests.unit.test_otlp import JSON_SPAN, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = of("watcher")[0].body


def test_a_request_is_taken_when_kafka_has_it() -> None:
    receiver = Receiver()
    answer = receiver.post(BODY)
    assert (answer.code, answer.body, answer.headers["content-type"]) == (200, b"", PROTOBUF)
    ((key, value, headers),) = receiver.records
    assert value == BODY
    assert key is None
    assert len(headers.pop("digest") or b"") == 16
    assert headers == {"source": b"", "received_at": b"2026-01-02T03:04:05+00:00", "part": b"0/1"}
    assert not any("access-control" in name for name in answer.headers)


def test_the_same_body_has_the_same_digest_however_it_was_packed() -> None:
    receiver = Receiver()
    receiver.post(BODY)
    receiver.post(gzip.compress(BODY), content_encoding="gzip")
    assert len({headers["digest"] for _, _, headers in receiver.records}) == 1


def test_json_is_taken_and_answered_in_json() -> None:
    receiver = Receiver()
    answer = receiver.post(json_body(JSON_SPAN), content_type="application/json; charset=utf-8")
    assert (answer.code, answer.body) == (200, b"{}")
    ((_, value, _),) = receiver.records
    assert len(decode_protobuf(value or b"").spans) == 1


def test_refused_spans_are_a_partial_success() -> None:
    receiver = Receiver()
    body = json_body(JSON_SPAN, {**JSON_SPAN, "traceId": ""})
    answer = receiver.post(body, content_type=JSON)
    n_rejected, reason = answer.partial()
    assert (answer.code, n_rejected) == (200, 1)
    assert reason == "1 spans refused: the trace id must be 16 bytes and not all zero"
    assert len(receiver.records) == 1


def test_an_empty_request_is_a_success_without_a_record() -> None:
    receiver = Receiver()
    assert receiver.post(b"").code == 200
    assert receiver.post(b"{}", content_type=JSON).code == 200
    assert receiver.records == []


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("zstd", zstandard.ZstdCompressor().compress(BODY)),
        ("identity", BODY),
        ("GZIP", gzip.compress(BODY)),
    ],
)
def test_every_coding_is_unpacked_in_whatever_chunks_it_comes(coding: str, packed: bytes) -> None:
    receiver = Receiver()
    chunks = [packed[at : at + 100] for at in range(0, len(packed), 100)]
    assert receiver.post(chunks, content_encoding=coding).code == 200
    assert [value for _, value, _ in receiver.records] == [BODY]


def test_metrics_and_logs_are_accepted_and_dropped() -> None:
    receiver = Receiver()
    for path in ("/v1/metrics", "/v1/logs"):
        assert receiver.post(b"whatever", path=path).code == 200
        assert receiver.post(b"{}", path=path, content_type=JSON).body == b"{}"
    assert receiver.records == []


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"body": b"\xff\xff"}, 400),
        ({"body": b"\xff\xff", "content_encoding": "gzip"}, 400),
        ({"body": gzip.compress(BODY)[:-9], "content_encoding": "gzip"}, 400),
        ({"body": zstandard.compress(BODY)[:-3], "content_encoding": "zstd"}, 400),
        ({"body": BODY, "content_encoding": "br"}, 415),
        ({"body": BODY, "content_encoding": "gzip, gzip"}, 415),
        ({"body": BODY, "path": "/v1/elsewhere"}, 404),
        ({"body": b"", "content_length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"body": [bytes(MAX_BODY_BYTES), b"1"]}, 413),
        ({"body": gzip.compress(bytes(MAX_BODY_BYTES + 1)), "content_encoding": "gzip"}, 413),
        ({"body": BODY, "authorization": "Bearer nonsense"}, 401),
        ({"body": BODY, "authorization": "Basic eA=="}, 401),
    ],
)
def test_errors_are_told_in_the_requests_own_encoding(kind: str, request_: dict[str, object], expected: int) -> None:
    receiver = Receiver()
    answer = receiver.post(**{**request_, "content_type": kind})  # type: ignore[arg-type]
    assert (answer.code, answer.headers["content-type"]) == (expected, kind)
    code, message = answer.status()
    assert code > 0
    assert message
    assert receiver.records == []
    assert receiver.reception.in_flight_bytes == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "DELETE"])
def test_only_post_is_taken(method: str) -> None:
    answer = Receiver().ask(method, "/v1/traces", content_type=PROTOBUF)
    assert (answer.code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_s11_what_a_page_may_send_without_asking_is_not_taken(kind: str) -> None:
    assert Receiver().post(BODY, content_type=kind).code == 415


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "localhost:4318"}, 200),
        ({"host": "[::1]:4318"}, 200),
        ({"host": "192.168.1.5"}, 200),
        ({"host": "app.localhost"}, 200),
        ({"host": "collector.internal:4318"}, 200),
        ({"host": "evil.example:4318"}, 421),
        ({"host": "localhost.evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:4318"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 403),
        ({"sec_fetch_mode": "no-cors"}, 403),
        ({"origin": "https://shop.example", "sec_fetch_site": "cross-site"}, 200),
    ],
)
def test_s11_pages_and_foreign_host_names_are_refused(headers: dict[str, str], expected: int) -> None:
    receiver = Receiver(hosts=["collector.internal"], origins=["https://shop.example"])
    assert receiver.post(BODY, **headers).code == expected
    assert receiver.ask("GET", "/health/live", b"", **headers).code == expected


def test_s11_with_required_tokens_any_host_name_is_fine_and_no_token_is_not() -> None:
    receiver = Receiver(required=True)
    receiver.tokens.found = {"in": FoundToken("abc", "ingest"), "api": FoundToken("def", "api")}
    assert receiver.post(BODY, host="weir.example").headers["www-authenticate"] == "Bearer"
    assert receiver.post(BODY, host="weir.example", authorization="Bearer in").code == 200
    assert receiver.post(BODY, authorization="Bearer api").code == 403
    assert receiver.post(BODY, authorization="Bearer other").code == 401
    assert [headers["source"] for _, _, headers in receiver.records] == [b"abc"]


def test_a_token_is_looked_up_every_thirty_seconds_and_outlives_the_database() -> None:
    receiver = Receiver(required=True)
    receiver.tokens.found = {"in": FoundToken("abc", "ingest")}
    for _ in range(3):
        assert receiver.post(BODY, authorization="Bearer in").code == 200
    assert receiver.tokens.n_looked_up == 1
    receiver.tokens.away = True
    receiver.clock.move(31)
    assert receiver.post(BODY, authorization="Bearer in").code == 200
    assert receiver.post(BODY, authorization="Bearer new").code == 503
    receiver.tokens.away = False
    receiver.tokens.found = {}
    assert receiver.post(BODY, authorization="Bearer in").code == 401


def test_a_clock_that_was_set_back_keeps_no_revoked_token_alive() -> None:
    receiver = Receiver(required=True)
    receiver.tokens.found = {"in": FoundToken("abc", "ingest")}
    assert receiver.post(BODY, authorization="Bearer in").code == 200
    receiver.tokens.found = {}
    receiver.clock.move(-3_600)
    assert receiver.post(BODY, authorization="Bearer in").code == 401


def test_a_database_that_hangs_is_waited_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.receive.http.LOOK_UP_SECONDS", 0.05)
    receiver = Receiver(required=True)
    receiver.tokens.found = {"in": FoundToken("abc", "ingest")}
    assert receiver.post(BODY, authorization="Bearer in").code == 200
    receiver.clock.move(31)
    receiver.tokens.hangs.acquire()
    try:
        assert receiver.post(BODY, authorization="Bearer in").code == 200
        assert receiver.post(BODY, authorization="Bearer new").code == 503
    finally:
        receiver.tokens.hangs.release()


def test_without_an_acknowledgement_the_sender_keeps_its_spans() -> None:
    receiver = Receiver()
    receiver.broker.up = False
    answer = receiver.post(BODY)
    assert (answer.code, answer.headers["retry-after"], answer.status()[0]) == (503, "5", 14)
    assert receiver.ask("GET", "/health/ready").code == 503
    assert receiver.ask("GET", "/health/live").code == 200
    receiver.broker.up = True
    receiver.clock.move(-3_600)  # set back: the newest outcome counts, not the latest time
    assert receiver.post(BODY).code == 200
    assert receiver.ask("GET", "/health/ready").code == 200


def test_a_report_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.receive.http.DELIVERY_SECONDS", 0.05)
    receiver = Receiver(holds=True)
    assert receiver.post(BODY).code == 503
    assert receiver.reception.in_flight_bytes == 0


def test_before_the_spool_is_there_and_with_a_full_queue_the_sender_keeps_its_spans() -> None:
    receiver = Receiver(most_waiting=0)
    assert receiver.post(BODY).code == 503
    receiver.reception.open = False
    assert receiver.post(BODY).code == 503
    assert receiver.reception.counters.n_refused == 2


def test_s57_more_than_may_be_in_flight_is_told_to_come_again() -> None:
    receiver = Receiver()
    with receiver.reception.budget() as held:
        held.grow(MOST_IN_FLIGHT_BYTES - 10)
        assert receiver.post(BODY).code == 503
        assert receiver.reception.in_flight_bytes == MOST_IN_FLIGHT_BYTES - 10
    assert receiver.reception.in_flight_bytes == 0
    assert receiver.post(BODY).code == 200


def test_a_sender_that_hangs_up_leaves_nothing_behind() -> None:
    receiver = Receiver()
    with pytest.raises(ValueError, match="not enough values"):
        receiver.post([])
    assert (receiver.records, receiver.reception.in_flight_bytes) == ([], 0)


def test_a_large_request_becomes_parts_with_one_digest() -> None:
    spans = [
        {**JSON_SPAN, "spanId": f"{number:016x}", "name": "x" * 500, "attributes": []} for number in range(1, 3_001)
    ]
    receiver = Receiver()
    assert receiver.post(json_body(*spans), content_type=JSON).code == 200
    assert sorted(headers["part"] or b"" for _, _, headers in receiver.records) == [b"0/3", b"1/3", b"2/3"]
    assert len({headers["digest"] for _, _, headers in receiver.records}) == 1


@pytest.mark.parametrize(
    ("coding", "part"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.ZstdCompressor().compress(b""))]
)
def test_s58_a_body_of_a_million_empty_parts_is_refused_in_passing(coding: str, part: bytes) -> None:
    body = part * (MAX_BODY_BYTES // len(part))
    began = time.process_time()
    with pytest.raises(BadCoding, match="more than 1000 parts"):
        unpacked(body, coding, limit_bytes=MAX_BODY_BYTES)
    assert time.process_time() - began < 20, "it took minutes"
    assert unpacked(part * 1_000, coding, limit_bytes=10) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_s58_a_bomb_is_refused_without_being_unpacked(coding: str) -> None:
    plain = bytes(40_000_000)
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": zstandard.compress,
    }
    bomb = packers[coding](plain)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpacked(bomb, coding, limit_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("n_bytes", "on_the_loop"), [(200_000, [True]), (300_000, [True, False])])
def test_s58_what_becomes_large_keeps_nobody_else_waiting(
    n_bytes: int, on_the_loop: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def noted(*given: Any, **more: Any) -> bytes:
        seen.append(threading.current_thread() is threading.main_thread())
        return unpacked(*given, **more)

    monkeypatch.setattr(http, "unpacked", noted)
    answer = Receiver().post(gzip.compress(bytes(n_bytes)), content_encoding="gzip", path="/v1/metrics")
    assert (answer.code, seen) == (200, on_the_loop)


def test_s58_a_zstd_window_larger_than_we_keep_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = compressor.compress(b"x" * 100_000) + compressor.flush()
    with pytest.raises(BadCoding):
        unpacked(packed, "zstd", limit_bytes=1_000_000)


def test_json_errors_are_status_objects() -> None:
    body = Receiver().post(b"{", content_type=JSON).body
    assert json.loads(body) == {"code": 3, "message": "The body is not JSON: Expecting property name enclosed in double"
                                " quotes at character 1."}  # fmt: skip


def test_s70_metrics_are_for_this_machine_and_pages_get_none() -> None:
    receiver = Receiver()
    answer = receiver.ask("GET", "/metrics")
    assert (answer.code, b"process_cpu_seconds_total" in answer.body) == (200, True)
    assert receiver.ask("POST", "/metrics").code == 405
    assert receiver.ask("GET", "/metrics", origin="https://evil.example").code == 403


def test_weirs_own_spans_are_refused_by_whatever_way_they_come() -> None:
    receiver = Receiver()
    assert receiver.post(BODY, x_weir_own="1").code == 403
    assert receiver.records == []
