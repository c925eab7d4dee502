"""What of a tapped record is kept."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from collector.domain import letter_forms
from collector.domain.globs import matches
from collector.domain.keys import MAX_KEY, searchable
from collector.domain.records import Headers, Record, size_of
from collector.intake.reading import Rows
from collector.intake.taps import MOST_PLANS, TapReading, TapRules
from collector.ports import Partition
from collector.store.feeds import Feed
from collector.store.positions import Place
from collector.store.records import FLOW_NAME, KEY_NAME

ORDERS = Feed(3, "orders.created", UUID(int=1), 1, holds_dead_letters=False)
LETTERS = Feed(4, "orders.failed", UUID(int=2), 1, holds_dead_letters=True)
NAMED = Feed(5, "orders.created.dlq", UUID(int=3), 1, holds_dead_letters=False)


def read(feed: Feed, *, key: bytes | None = b"o-1", headers: Headers = (), payloads: tuple[str, ...] = ()) -> Rows:
    reading = TapReading(TapRules(("*",), payloads, ("order-id",)), {"order-id": 7})
    reading.know([ORDERS, LETTERS, NAMED])
    record = Record(feed.name, 0, 5, datetime(2026, 11, 24, tzinfo=UTC), 1, key, b"{}", headers)
    return reading.rows([record], {Partition(feed.name, 0): Place(feed.kafka_id, 0)})


@pytest.mark.parametrize(
    ("globs", "name", "expected"),
    [
        (["*"], "orders", True),
        (["*", "-audit*"], "audit.log", False),
        (["*", "-audit*"], "orders", True),
        (["orders.*"], "payments", False),
        ([], "orders", False),
        (["*"], "ORDERS", True),
    ],
)
def test_a_topic_is_tapped_when_a_glob_fits_and_none_excludes_it(globs: list[str], name: str, expected: bool) -> None:
    assert matches(name, globs) is expected


def test_values_are_kept_only_where_that_is_configured() -> None:
    assert not read(ORDERS).tapped[0].keeps_body
    assert read(ORDERS, payloads=("orders.*",)).tapped[0].keeps_body


@pytest.mark.parametrize("feed", [LETTERS, NAMED])
def test_dead_letters_are_kept_whole_by_role_and_by_name(feed: Feed) -> None:
    headers = (("kafka_dlt-exception-fqcn", b"shop.CardDeclined"), ("kafka_dlt-original-topic", b"orders.created"))
    tapped = read(feed, headers=headers).tapped[0]
    assert tapped.keeps_body
    assert tapped.letter is not None
    assert tapped.letter.exception_class == "shop.CardDeclined"


def test_a_record_that_a_reader_fails_at_is_told_of_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(record: Record, _mapping: object) -> None:
        if record.offset == 6:
            raise RecursionError

    monkeypatch.setattr(letter_forms, "letter_of", failing)
    reading = TapReading(TapRules(("*",), (), ()), {})
    reading.know([LETTERS])
    records = [Record(LETTERS.name, 0, offset, None, 0, None, b"secret", ()) for offset in (5, 6, 7)]
    found = reading.rows(records, {Partition(LETTERS.name, 0): Place(LETTERS.kafka_id, 0)})
    assert [each.record.offset for each in found.tapped] == [5, 7]
    (garbage,) = found.undecodable
    assert (garbage.offset, garbage.reason, garbage.body) == (6, "the decoder failed (RecursionError)", b"")


def test_headers_of_a_dead_letter_on_a_business_topic_were_only_handed_on() -> None:
    headers = (("kafka_dlt-exception-fqcn", b"shop.CardDeclined"), ("kafka_dlt-original-topic", b"payments"))
    assert read(ORDERS, headers=headers).tapped[0].letter is None


def test_keys_and_business_headers_can_be_searched() -> None:
    tapped = read(ORDERS, headers=(("order-id", b"o-77"), ("other", b"x"))).tapped[0]
    assert tapped.keys == ((KEY_NAME, "o-1"), (7, "o-77"))


@pytest.mark.parametrize("raw", [None, b"", b"\xff\xfe", b"a\x00b", b"k" * (MAX_KEY + 1), "é".encode() * 500])
def test_a_key_that_is_no_short_text_cannot_be_searched_and_harms_nothing(raw: bytes | None) -> None:
    assert searchable(raw) is None
    assert read(ORDERS, key=raw).tapped[0].record.key == raw


def test_the_last_trace_context_says_who_wrote_this_copy() -> None:
    first = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    last = b"00-aaaa651916cd43dd8448eb211c80319c-cccc6b7169203331-00"
    tapped = read(ORDERS, headers=(("traceparent", first), ("traceparent", last))).tapped[0]
    assert tapped.context == (
        bytes.fromhex("aaaa651916cd43dd8448eb211c80319c"),
        bytes.fromhex("cccc6b7169203331"),
    )


def test_headers_of_the_same_names_are_each_read_by_their_own_values() -> None:
    reading = TapReading(TapRules(("*",), (), ("order-id",)), {"order-id": 7})
    reading.know([ORDERS])
    trace, span = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
    names = ("order-id", "Traceparent", "event-id", "traceparent", "order-id", "correlation-id")
    last = b"00-" + trace + b"-" + span + b"-01"
    rows = [
        (b"o-1", b"x", b"e-1", last, b"o-2", b"c-1"),
        (b"o-3", b"x", b"e-2", last, b"o-4", b"c-2"),
        (b"", last, b"", None, b"o-6", b"c-3"),
    ]
    records = [
        Record("orders.created", 0, n, None, 0, None, None, tuple(zip(names, values, strict=True)))
        for n, values in enumerate(rows)
    ]
    first, second, third = reading.rows(records, {Partition("orders.created", 0): Place(ORDERS.kafka_id, 0)}).tapped
    wrote = (bytes.fromhex(trace.decode()), bytes.fromhex(span.decode()))
    assert [(each.context, each.event_id) for each in (first, second, third)] == [
        (wrote, "e-1"),
        (wrote, "e-2"),
        (wrote, None),
    ]
    assert first.keys == ((FLOW_NAME, "c-1"), (7, "o-1"))
    assert second.keys == ((FLOW_NAME, "c-2"), (7, "o-3"))
    assert third.keys == ((FLOW_NAME, "c-3"),)
    assert [each.size_bytes for each in (first, second, third)] == [size_of(record) for record in records]


def test_header_names_without_end_are_not_remembered_without_end() -> None:
    reading = TapReading(TapRules(("*",), (), ()), {})
    reading.know([ORDERS])
    names = [f"event-id-{n}" for n in range(2 * MOST_PLANS)] + ["x" * 5_000]
    records = [Record("orders.created", 0, n, None, 0, None, None, ((name, b"1"),)) for n, name in enumerate(names)]
    found = reading.rows(records, {Partition("orders.created", 0): Place(ORDERS.kafka_id, 0)})
    assert len(found.tapped) == len(names)
    assert len(reading._plans) <= MOST_PLANS
    assert max(len(each[0]) for each in reading._plans) < 5_000


@pytest.mark.parametrize("value", [b"", b"nonsense", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"ff-" + b"a" * 52])
def test_a_context_that_is_none_is_left_out(value: bytes) -> None:
    assert read(ORDERS, headers=(("traceparent", value),)).tapped[0].context is None
