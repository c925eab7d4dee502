"""Dead-letter dialects: real bytes of six frameworks, hand-written names, and whatever a hostile sender may write."""

import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import read, role
from collector.domain.dialects.family import Family
from collector.domain.dialects.registry import FAMILIES
from collector.domain.fingerprints import fingerprint
from collector.domain.records import Headers, Record
from collector.domain.resending import is_stale
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


_NAMES = sorted({name for family in FAMILIES for name in (*family.marks, *family.topic, *family.stack, *family.offset)})
_HEADERS = st.lists(
    st.tuples(st.one_of(st.sampled_from(_NAMES), st.text(max_size=20)), st.one_of(st.none(), st.binary(max_size=60))),
    max_size=30,
).map(tuple)


@given(topic=st.sampled_from(["orders.dlq", "sump", "error.a.b", "x-retry"]), headers=_HEADERS)
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
