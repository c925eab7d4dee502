"""Dead-letter dialects: real bytes of six frameworks, hand-written names, and whatever a hostile sender may write."""

import json
import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import own_key, read, role
from collector.domain.dialects.family import Family
from collector.domain.dialects.registry import FAMILIES, key_for
from collector.domain.fingerprints import fingerprint
from collector.domain.records import Headers, Record
from collector.domain.resending import is_stale
from collector.domain.varints import varint
from tests.unit.dead_letter_samples import samples

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def _record(topic: str, *headers: tuple[str, bytes | None], timestamp_type: int = 1) -> Record:
    return Record(topic, 0, 7, AT, timestamp_type, b"k", b"v", headers)


def _read(topic: str, *headers: tuple[str, bytes | None]) -> DeadLetter:
    found = read(_record(topic, *headers))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("position", "dialect", "origin", "group", "exception_class", "message"),
    [
        ("payments.settled-dlt/0/0", "spring", Place("payments.settled", 0, 14), "billing-reconcile",
         "shop.billing.Billing$LedgerMismatch", "settled amount differs for cs-00017"),
        ("ledger.pages-dlt/0/0", "spring", Place("ledger.pages", 0, 6), "filing",
         "java.lang.IllegalArgumentException", "page lp-0007 has a forbidden total"),
        ("orders.placed-dlt/0/0", "spring", Place("orders.placed", 0, 1), "billing",
         "org.springframework.kafka.support.serializer.DeserializationException", "failed to deserialize"),
        ("orders.placed-dlt/0/1", "spring", Place("orders.placed", 0, 8), "billing",
         "java.lang.IllegalStateException", "no price for snuffer in order bk-00022"),
        ("dead-letter-topic-notices/0/0", "smallrye", Place("notices.posted", 0, 1), None,
         "java.lang.UnsupportedOperationException", "nobody may echo np-00001"),
        ("archiver-sump/0/0", "connect", Place("parcels.moved", 0, 1), "connect-archiver-parcels",
         "org.apache.kafka.connect.errors.DataException",
         "Converting byte[] to Kafka Connect data failed due to serialization error:"),
        ("keeper_poison/0/0", "watermill", Place("views.digest", None, None), None, "",
         "digest gd-0005 is a multiple of forty-five"),
        ("tally.sump/0/0", "streams", Place("views.seen", 1, 5), None,
         "org.apache.kafka.common.errors.SerializationException",
         "Size of data received by IntegerDeserializer is not 4"),
    ],
)  # fmt: skip
def test_real_dead_letters_are_read(
    position: str, dialect: str, origin: Place, group: str | None, exception_class: str, message: str
) -> None:
    found = read(samples()[position])
    assert found is not None
    assert (found.dialect, found.origin, found.latest, found.group) == (dialect, origin, origin, group)
    assert (found.exception_class, found.message) == (exception_class, message)


def test_the_title_of_a_failure_names_the_applications_own_line() -> None:
    found = read(samples()["payments.settled-dlt/0/0"])
    assert found is not None
    assert (
        fingerprint(found, dead_letter_topic="payments.settled-dlt").title == "LedgerMismatch at Billing.reconcile:127"
    )


def test_attempts_of_springs_retry_topics_are_what_was_really_tried() -> None:
    tried = [read(samples()[f"orders.placed-dlt/0/{offset}"]) for offset in (0, 1)]
    assert [found and found.attempts for found in tried] == [1, 3]


def test_a_record_on_a_retry_topic_is_on_its_way_and_no_dead_letter() -> None:
    record = samples()["orders.placed-retry-0/0/0"]
    assert read(record) is None
    assert read(replace(record, topic="orders.placed.retry.billing")) is None


def test_copied_timestamps_are_no_time_of_failure_unless_the_broker_wrote_them() -> None:
    record = samples()["archiver-sump/0/0"]
    found, appended = read(record), read(replace(record, timestamp_type=2))
    assert found is not None
    assert found.failed_at is None
    assert appended is not None
    assert appended.failed_at == record.produced_at


def _origin(topic: bytes, offset: int) -> Headers:
    return (
        ("kafka_dlt-original-topic", topic),
        ("kafka_dlt-original-partition", struct.pack(">i", 3)),
        ("kafka_dlt-original-offset", struct.pack(">q", offset)),
    )


def test_springs_repeats_begin_with_the_first_death_and_end_with_the_latest() -> None:
    found = _read("orders-dlt", *_origin(b"orders", 1), *_origin(b"orders.mended", 9))
    assert (found.origin, found.latest) == (Place("orders", 3, 1), Place("orders.mended", 3, 9))


def test_smallryes_repeats_begin_with_the_latest_death() -> None:
    found = _read(
        "sink", ("dead-letter-topic", b"b"), ("dead-letter-offset", b"9"),
        ("dead-letter-topic", b"a"), ("dead-letter-offset", b"1"),
    )  # fmt: skip
    assert (found.origin, found.latest) == (Place("a", None, 1), Place("b", None, 9))


def test_an_integer_of_four_digits_is_binary_in_springs_family_and_text_in_hand_written_ones() -> None:
    spring = _read("a-dlt", ("kafka_dlt-original-topic", b"a"), ("kafka_dlt-original-partition", b"0001"))
    generic = _read("a.dlq", ("x-original-topic", b"a"), ("x-original-offset", b"1234"))
    assert (spring.origin.partition, generic.origin.offset) == (0x30303031, 1234)


def test_spring_cloud_stream_tells_its_group_by_the_topics_name() -> None:
    found = _read(
        "error.orders.v1.bill.ing", ("x-original-topic", b"orders.v1"), ("x-exception-fqcn", b"a.B"),
        ("x-original-offset", struct.pack(">q", 12)),
    )  # fmt: skip
    assert (found.dialect, found.group, found.origin) == (
        "spring-cloud-stream",
        "bill.ing",
        Place("orders.v1", None, 12),
    )


@pytest.mark.parametrize(
    ("headers", "origin", "exception_class", "message"),
    [
        ((("x-original-topic", b"orders"), ("x-dlq-reason", b"no vat")), Place("orders"), "", "no vat"),
        ((("dlq-original-topic", b"orders"), ("dlq-error-class", b"x.Y")), Place("orders"), "x.Y", ""),
        ((("original_topic", b"orders"), ("original_offset", b"4"), ("error.message", b"m")),
         Place("orders", None, 4), "", "m"),
        ((("exception", b"boom"),), Place(), "", "boom"),
    ],
)  # fmt: skip
def test_hand_written_names_are_read(headers: Headers, origin: Place, exception_class: str, message: str) -> None:
    found = _read("orders.dlq", *headers)
    assert (found.dialect, found.origin, found.exception_class, found.message) == (
        "generic", origin, exception_class, message,
    )  # fmt: skip


def test_headers_are_better_evidence_than_names_but_a_loose_word_on_a_business_topic_is_none() -> None:
    assert read(_record("sump", ("x-original-topic", b"orders"))) is not None
    assert read(_record("orders", ("exception", b"boom"), ("error", b"e"))) is None


def test_a_record_that_was_sent_back_to_its_origin_with_all_its_headers_is_no_dead_letter() -> None:
    assert read(_record("orders", *_origin(b"orders", 1))) is None
    assert read(_record("orders-dlt", *_origin(b"orders-dlt", 1))) is not None


def test_a_record_without_known_headers_on_a_dead_letter_topic_is_one_of_unknown_dialect() -> None:
    found = _read("orders.dlq", ("order-id", b"7"))
    assert (found.dialect, found.origin, found.failed_at) == ("unknown", Place(), AT)


def test_a_wrapper_gives_way_to_the_first_cause_that_is_none() -> None:
    stack = (
        b"x.ListenerExecutionFailedException: w\n\tat a.B.c(B.java:1)\n"
        b"Caused by: shop.CardDeclined: no\n\tat shop.G.x(G.java:2)\n"
    )
    found = _read(
        "a-dlt", ("kafka_dlt-exception-fqcn", b"x.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-stacktrace", stack),
    )  # fmt: skip
    assert (found.exception_class, found.message) == ("shop.CardDeclined", "no")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[(name, "dead_letter") for name in (
            "orders.DLT", "orders-dlt", "orders_dlt", "orders.created.dlq", "orders-dlq", "orders__g__dlq",
            "a-dead-letter", "a.dead-letter", "queue_error", "queue_skipped", "a-error", "keeper_poison", "a.poison",
            "a.parkingLot", "error.orders.billing", "dead-letter-topic-notices", "dlq.orders", "dlq-lcc-x",
            "orders-retry-dlt", "orders.retry.billing.dlq")],
        *[(name, "retry") for name in (
            "orders-retry", "orders-retry-0", "orders-retry-1000", "in_retry_10000", "orders__g__retry",
            "orders__g__2__retry", "orders.created.retry.billing")],
        *[(name, "internal") for name in (
            "__consumer_offsets", "weir.spool", "_schemas",
            "tally-KSTREAM-AGGREGATE-STATE-STORE-0000000003-changelog")],
        *[(name, "business") for name in ("orders.created", "errors", "product-changelog", "retry", "mailer")],
    ],
)  # fmt: skip
def test_what_a_topic_is_for_by_its_name(name: str, expected: str) -> None:
    assert role(name) == expected


def _dlq_key(*fields: tuple[int, int | bytes]) -> bytes:
    """A DLQMetadata as protobuf."""
    body = b""
    for number, value in fields:
        is_run = isinstance(value, bytes)
        body += varint(number << 3 | (2 if is_run else 0)) + varint(len(value) if isinstance(value, bytes) else value)
        body += value if isinstance(value, bytes) else b""
    return body


UFORWARDER = _dlq_key(
    (1, 3), (2, b"orders"), (3, 2), (4, 7000), (5, 1_795_450_095_000_000_000), (6, b"order-7"), (7, 1)
)
KSQL = json.dumps({
    "level": "ERROR", "logger": "processing.CTAS_X.KsqlTopic.Source.deserializer", "time": 1795450095872,
    "message": {"type": 0, "deserializationError": {"target": "value", "errorMessage": "Error deserializing VALUE",
        "recordB64": "eyJ9", "cause": ["Unexpected character"], "topic": "orders"}},
}).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "headers", "expected"),
    [
        ("error", [("NServiceBus.FailedQ", b"billing@host1"), ("NServiceBus.ProcessingEndpoint", b"billing"),
                   ("NServiceBus.ExceptionInfo.ExceptionType", b"Shop.CardDeclined"),
                   ("NServiceBus.ExceptionInfo.Message", b"declined"),
                   ("NServiceBus.TimeOfFailure", b"2026-11-23 14:01:02:123456 Z")],
         ("nservicebus", Place("billing"), "billing", "Shop.CardDeclined", "declined", None)),
        ("orders_error", [("MT-Fault-InputAddress", b"rabbitmq://h/v/orders?durable=true"), ("MT-Reason", b"fault"),
                          ("MT-Fault-ConsumerType", b"Shop.Billing"), ("MT-Fault-ExceptionType", b"Shop.CardDeclined"),
                          ("MT-Fault-Message", b"declined"), ("MT-Fault-RetryCount", b"2"),
                          ("MT-Fault-Timestamp", b"2026-11-23T14:01:02.0000000Z")],
         ("masstransit", Place("orders"), "Shop.Billing", "Shop.CardDeclined", "declined", 3)),
        ("sink", [("ce_knativeerrordest", b"http://billing.shop.svc"), ("ce_knativeerrorcode", b"500"),
                  ("ce_knativeerrordata", b"Ym9vbQ=="), ("ce_knativekafkaoffset", b"12")],
         ("knative", Place(None, None, 12), None, "HTTP 500", "http://billing.shop.svc: boom", None)),
        ("dead_messages", [("source_topic", b"orders"), ("source_partition", b"3"), ("source_offset", b"44"),
                           ("source_consumer_group", b"billing"), ("source_attempts", b"4"),
                           ("source_trace_id", b"9f3a")],
         ("karafka", Place("orders", 3, 44), "billing", "", "", 4)),
        ("events-dlq", [("original_partition", b"0"), ("original_offset", b"1"), ("original_partition", b"3"),
                        ("original_offset", b"44")],
         ("arroyo", Place(None, 0, 1), None, "", "", None)),
        ("sump", [("fallback_error", b"failed to send: timeout"), ("kafka_topic", b"orders"), ("kafka_partition", b"3"),
                  ("kafka_offset", b"44")],
         ("redpanda-connect", Place("orders", 3, 44), None, "", "failed to send: timeout", None)),
        ("poison", [("__key", b"k"), ("__topic", b"orders"), ("__partition", b"3"), ("__offset", b"44"),
                    ("__timestamp", b"1795450095872")],
         ("dapr", Place("orders", 3, 44), None, "", "", None)),
        ("orders-dlq", [("delayed-retry-topic", b"orders"), ("delayed-retry-partition", b"3"),
                        ("delayed-retry-offset", b"44"), ("delayed-retry-count", b"3"),
                        ("delayed-retry-exception-class-name", b"a.B"), ("delayed-retry-reason", b"no")],
         ("smallrye-delayed-retry", Place("orders", 3, 44), None, "a.B", "no", 3)),
        ("dlq.shares", [("__dlq.errors.topic", b"orders"), ("__dlq.errors.partition", b"3"),
                        ("__dlq.errors.offset", b"44"), ("__dlq.errors.group", b"workers"),
                        ("__dlq.errors.message", b"Offset rejected by client."), ("__dlq.errors.delivery.count", b"5")],
         ("share-group", Place("orders", 3, 44), "workers", "", "Offset rejected by client.", 5)),
    ],
)  # fmt: skip
def test_the_bytes_of_each_framework_are_read(
    topic: str, headers: list[tuple[str, bytes | None]], expected: tuple[object, ...]
) -> None:
    found = _read(topic, *headers)
    assert (found.dialect, found.origin, found.group, found.exception_class, found.message, found.attempts) == expected
    assert read(_record("orders-retry", *headers)) is None, "a retry topic is a station on the way"


def test_nservicebus_tells_its_own_time_of_failure() -> None:
    found = _read(
        "error", ("NServiceBus.FailedQ", b"q"), ("NServiceBus.TimeOfFailure", b"2026-11-23 14:01:02:123456 Z")
    )
    assert found.failed_at == datetime(2026, 11, 23, 14, 1, 2, 123456, tzinfo=UTC)


def test_uforwarders_key_tells_where_it_came_from_and_holds_the_key_that_is_sent_again() -> None:
    record = replace(_record("orders__billing__dlq"), key=UFORWARDER)
    found = read(record)
    assert found is not None
    assert (found.dialect, found.origin, found.group, found.attempts) == (
        "uforwarder", Place("orders", 2, 7000), "billing", 4,
    )  # fmt: skip
    assert own_key(found, record) == b"order-7"
    assert key_for("orders", dialect="uforwarder", key=UFORWARDER) == b"order-7"
    assert key_for("orders__billing__retry", dialect="uforwarder", key=UFORWARDER) == UFORWARDER


@given(key=st.binary(max_size=80))
def test_any_key_on_uforwarders_topic_is_borne(key: bytes) -> None:
    found = read(replace(_record("orders__billing__dlq"), key=key))
    assert found is not None


def test_an_entry_of_ksqldbs_processing_log_tells_of_a_record_elsewhere() -> None:
    found = read(replace(_record("default_ksql_processing_log"), value=KSQL))
    assert found is not None
    assert (found.dialect, found.origin, found.exception_class, found.message, found.stack) == (
        "ksqldb", Place("orders"), "deserializationError", "Error deserializing VALUE", "Unexpected character",
    )  # fmt: skip


@given(value=st.one_of(st.binary(max_size=80), st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["message", "deserializationError", "cause", "topic", "errorMessage"]), inner, max_size=4
    ), max_leaves=12,
).map(lambda body: json.dumps(body).encode())))  # fmt: skip
def test_any_entry_of_a_processing_log_is_borne(value: bytes) -> None:
    found = read(replace(_record("default_ksql_processing_log"), value=value))
    assert found is not None
    for text in (found.exception_class, found.message, found.stack):
        assert "\x00" not in text
        text.encode()


def test_a_record_of_two_frameworks_tells_what_either_knows() -> None:
    found = _read(
        "sump", ("__connect.errors.stage", b"VALUE_CONVERTER"), ("__connect.errors.exception.message", b"no"),
        ("dead-letter-topic", b"orders"), ("dead-letter-offset", b"9"), ("dead-letter-reason", b"other"),
    )  # fmt: skip
    assert (found.dialect, found.message, found.origin) == ("connect", "no", Place("orders", None, 9))


def test_a_business_header_with_a_hand_written_name_does_not_fill_a_frameworks_gap() -> None:
    found = _read("a-dlt", ("kafka_dlt-original-topic", b"a"), ("attempts", b"7"), ("consumer_group", b"x"))
    assert (found.attempts, found.group) == (None, None)


_NAMES = sorted(
    {
        name
        for family in FAMILIES
        for name in (
            *family.marks,
            *family.needs,
            *family.topic,
            *family.stack,
            *family.offset,
            *family.failed_at,
            *family.attempts,
        )
    }
)
_HEADERS = st.lists(
    st.tuples(st.one_of(st.sampled_from(_NAMES), st.text(max_size=20)), st.one_of(st.none(), st.binary(max_size=60))),
    max_size=30,
).map(tuple)


@given(
    topic=st.sampled_from(["orders.dlq", "sump", "error.a.b", "x-retry", "a__g__dlq", "b_ksql_processing_log"]),
    headers=_HEADERS,
)
def test_no_header_soup_raises_and_what_comes_out_can_be_stored(topic: str, headers: Headers) -> None:
    found = read(_record(topic, *headers))
    if found is None:
        return
    print_ = fingerprint(found, dead_letter_topic=topic)
    for text in (found.group or "", found.exception_class, found.message, found.stack, print_.title):
        assert "\x00" not in text
        text.encode()
    for place in (found.origin, found.latest):
        assert place.offset is None or 0 <= place.offset < 2**63
        assert place.partition is None or 0 <= place.partition < 2**31


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.dialect)
def test_every_origin_header_of_a_dialect_is_taken_off_before_a_letter_is_sent_again(family: Family) -> None:
    assert all(is_stale(name) for name in (*family.topic, *family.partition, *family.offset))
