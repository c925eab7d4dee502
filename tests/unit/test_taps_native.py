"""Records become the same rows in C and in Python, whatever they hold."""

import shutil
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain import alike
from collector.domain.globs import matches
from collector.domain.keys import MAX_KEY
from collector.domain.masking import Aim, Rule, Rules
from collector.domain.records import Record
from collector.intake.native import compiled_taps
from collector.intake.reading import Rows
from collector.intake.taps import MOST_PLANS, TapReading, TapRules
from collector.ports import Partition
from collector.store import letter_rows
from collector.store.feeds import Feed
from collector.store.positions import Place
from collector.store.records import packed

PLAIN, KEPT, LETTERS, AGAIN, MASKED, DROPPED = (
    "orders.created",
    "kept",
    "orders.dlq",
    "orders-retry-0",
    "masked",
    "dropped",
)
TOPICS = (PLAIN, KEPT, LETTERS, AGAIN, MASKED, DROPPED)
RULES = TapRules(
    ("*",),
    (KEPT,),
    (),
    drops=Rules((Rule([DROPPED], Aim(key=True)),)),
    hidden=Rules((Rule([MASKED], Aim(key=True)),)),
)
UNMASKED = replace(RULES, hidden=Rules())
FEEDS = [Feed(number + 3, name, UUID(int=number), 4, holds_dead_letters=False) for number, name in enumerate(TOPICS)]
PLACES = {Partition(feed.name, number): Place(feed.kafka_id, number) for feed in FEEDS for number in range(4)}
KEYS = {"order-id": 7, "tenant": 8, "event-id": 9}
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AT = datetime(2026, 11, 28, 12, 30, 1, 234_000, tzinfo=UTC)


def reading(*, native: bool, keys: dict[str, int] | None = None, rules: TapRules = RULES) -> TapReading:
    made = TapReading(rules, KEYS if keys is None else keys, compiled_taps() if native else None)
    made.know(FEEDS)
    return made


IN_C, IN_PYTHON = reading(native=True), reading(native=False)
UNMASKED_IN_C, UNMASKED_IN_PYTHON = (reading(native=native, rules=UNMASKED) for native in (True, False))
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler here")


def record(topic: str = PLAIN, **given: object) -> Record:
    fields: dict[str, object] = {
        "partition": 1,
        "offset": 5,
        "produced_at": AT,
        "timestamp_type": 1,
        "key": b"o-1",
        "value": b"{}",
        "headers": (("traceparent", TRACE), ("event-id", b"e-1"), ("order-id", b"o-1"), ("source", b"shop")),
    }
    return Record(topic, **{**fields, **given})  # type: ignore[arg-type]


def rows(found: Rows) -> tuple[list[bytes], list[bytes]]:
    records, keys = packed(found.tapped)
    return sorted(records + found.packed.records), sorted(keys + found.packed.keys)


def letters(found: Rows) -> list[tuple[object, ...]]:
    return [
        (each.record, each.topic_id, each.size_bytes, each.context, each.letter, each.parcel)
        for each in found.tapped
        if each.keeps_body and each.record.topic == LETTERS
    ]


def assert_same(*records: Record) -> Rows:
    unmasked, in_python = (its.rows(records, PLACES) for its in (UNMASKED_IN_C, UNMASKED_IN_PYTHON))
    assert rows(unmasked) == rows(in_python)
    assert letters(unmasked) == letters(in_python)
    found = IN_C.rows(records, PLACES)
    assert rows(found) == rows(IN_PYTHON.rows(records, PLACES))
    return found


def test_the_packing_is_compiled_where_a_compiler_is() -> None:
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    assert (compiled_taps() is not None) == (shutil.which("cc") is not None and headers.exists())


NAMES = st.sampled_from(
    ["traceparent", "TraceParent", "b3", "x-b3-traceid", "x-b3-spanid", "x-datadog-trace-id", "ce_traceparent",
     "x-datadog-parent-id", "ce_id", "ce_causationid", "ce_correlationid", "NServiceBus.MessageId",
     "NServiceBus.RelatedTo", "ConversationId", "CorrelationId", "InitiatorId", "axon-message-id", "event-id",
     "Event_Id", "causation-id", "parent-id", "correlation-id", "x-request-id", "kafka_replyTopic",
     "kafka_correlationId", "content-type", "order-id", "tenant", "é", "\udcff", "", "a" * 300]
)  # fmt: skip
TEXTS = st.sampled_from(
    [TRACE, TRACE + b"-more", TRACE + b"-\n", TRACE + b"x", TRACE[:-1], b"ff" + TRACE[2:], TRACE.upper(), TRACE[:2],
     b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
     b'"o-1"', b" o-1", b"o-1 ", b" ", b'"', b"o 1", b"o-1\n", b"o\x001", "é".encode(), "\u2028".encode(), b"\xff",
     b"k" * MAX_KEY, b"k" * (MAX_KEY + 1), "é".encode() * MAX_KEY, "é".encode() * (MAX_KEY + 1), b"\xed\xa0\x80",
     b"\x7f", b"x" * 800, b"x" * 801, b"application/json", b"Application/CloudEvents+JSON; charset=utf-8",
     b"application/cloudevents+jso", UUID(int=7).bytes]
)  # fmt: skip
VALUES = st.one_of(TEXTS, st.none(), st.binary(max_size=20))
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1, 9999))
RECORDS = st.builds(
    Record,
    topic=st.sampled_from([PLAIN, PLAIN, PLAIN, *TOPICS]),
    partition=st.integers(0, 3),
    offset=st.integers(0, 2**63 - 1),
    produced_at=st.none() | st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
    timestamp_type=st.integers(0, 2),
    key=VALUES,
    value=st.sampled_from([None, b"", b"{}", b'{"id": "e-7", "source": "shop", "correlationid": "c"}']),
    headers=st.lists(st.tuples(NAMES, st.one_of(TEXTS, VALUES)), max_size=6).map(tuple),
)


@settings(max_examples=400)
@given(st.lists(RECORDS, max_size=5))
@example([record(headers=()), record(headers=tuple((f"h{n}", b"v") for n in range(70)))])
@example([record(headers=(("n" * 1_999, b"v"),)), record(headers=(("n" * 2_001, b"v"),)), record(key=None, value=None)])
def test_any_records_become_the_same_rows(records: list[Record]) -> None:
    assert_same(*records)


@given(st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_any_time_becomes_the_same(at: datetime) -> None:
    assert_same(record(produced_at=at))


@needs_compiler
@pytest.mark.parametrize("topic", TOPICS)
def test_only_records_of_which_rows_alone_are_kept_are_packed_in_c(topic: str) -> None:
    found = assert_same(record(topic))
    assert len(found.packed.records) == (topic == PLAIN)
    assert len(found.tapped) == (topic != PLAIN)
    assert not matches(PLAIN, RULES.payloads)


@needs_compiler
@pytest.mark.parametrize(
    "fields",
    [
        {"headers": (("traceparent", TRACE), ("b3", b"0"))},
        {"headers": (("kafka_correlationId", b"r-1"),)},
        {"headers": (("source", None),)},
        {"headers": (("sourcé", b"shop"),)},
        {"headers": (("event-id", b'"e-1"'),)},
        {"headers": (("content-type", b"application/cloudevents+json"),)},
    ],
)
def test_what_may_mean_more_is_left_to_the_rules(fields: dict[str, object]) -> None:
    assert len(assert_same(record(PLAIN, **fields)).tapped) == 1


@needs_compiler
def test_a_letters_rows_are_packed_in_c_where_no_mask_rule_can_count() -> None:
    records = [
        record(LETTERS, headers=(("kafka_dlt-exception-fqcn", b"shop.Declined"), ("traceparent", trace)))
        for trace in (TRACE, b"none")
    ]
    left = replace(records[0], headers=(("nothing", None), *records[0].headers))
    found = UNMASKED_IN_C.rows([records[0], left, records[1]], PLACES)
    assert [each.is_packed for each in found.tapped] == [True, False, True]
    assert [each.letter and each.letter.exception_class for each in found.tapped] == ["shop.Declined"] * 3
    assert len(found.packed.records) == 2
    assert not any(each.is_packed for each in IN_C.rows(records, PLACES).tapped)


def test_values_that_are_indexed_by_their_path_are_read_in_python() -> None:
    found = reading(native=True, keys={"$.id": 7}).rows([record(value=b'{"id": "x"}')], PLACES)
    assert [each.keys[-1] for each in found.tapped] == [(7, "x")]


@needs_compiler
def test_header_names_without_end_are_not_remembered_without_end() -> None:
    its = reading(native=True)
    for number in range(3 * MOST_PLANS):
        its.rows([record(headers=((f"h-{number}", b"v"),))], PLACES)
    assert 0 < len(its._packed_plans) <= MOST_PLANS


@needs_compiler
def test_a_fault_under_the_compiled_packing_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    its, records = reading(native=True), [record(), record(headers=(("new", b"v"),), offset=6)]

    def failing(_names: object) -> None:
        raise RecursionError

    monkeypatch.setattr(its, "places_of", failing)
    found = its.rows(records, PLACES)
    assert rows(found) == rows(IN_PYTHON.rows(records, PLACES))
    assert len(found.tapped) == 2


@pytest.mark.parametrize("native", [pytest.param(True, marks=needs_compiler), False])
def test_a_fault_in_what_is_remembered_of_letters_costs_no_letter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, native: bool
) -> None:
    headers = (
        ("kafka_dlt-exception-fqcn", b"shop.Declined"),
        ("kafka_dlt-exception-stacktrace", b"shop.Declined: no\n\tat shop.A.b(A.java:1)"),
    )
    records = [record(LETTERS, headers=headers, offset=offset) for offset in (1, 2)]
    expected = reading(native=native, rules=UNMASKED).rows(records, PLACES)

    def failing(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(alike, "_filled", failing)
    found = reading(native=native, rules=UNMASKED).rows(records, PLACES)
    assert not found.undecodable
    assert letters(found) == letters(expected)
    assert len(letters(found)) == len(rows(found)[0]) == 2
    assert "cannot read orders.dlq/1/2" in caplog.text


@needs_compiler
def test_a_letter_that_cannot_be_read_to_its_end_is_one_row_and_not_two(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = (("kafka_dlt-exception-fqcn", b"shop.Declined"), ("kafka_dlt-exception-message", b"no"))
    records = [record(LETTERS, headers=headers, offset=offset) for offset in (1, 2, 3)]
    parcel = letter_rows.parcel

    def failing(each: Record, *rest: Any, **named: Any) -> Any:
        if each.offset == 2:
            raise RecursionError
        return parcel(each, *rest, **named)

    monkeypatch.setattr(letter_rows, "parcel", failing)
    found = reading(native=True, rules=UNMASKED).rows(records, PLACES)
    assert [each.offset for each in found.undecodable] == [2]
    assert [each.record.offset for each in found.tapped] == [1, 3]
    assert len(rows(found)[0]) == 2, "none for the record that is undecodable"
    assert all(each.parcel for each in found.tapped)
