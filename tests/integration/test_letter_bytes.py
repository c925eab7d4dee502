"""The bytes of dead letters: kept once, beside the letter, and found from every page that shows a record's bytes."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection

from collector.config.rules import standing
from collector.domain.letter_forms import parked_form
from collector.domain.masking import Aim, Rule, Rules
from collector.domain.records import Record, size_of
from collector.intake.taps import TapReading, TapRules
from collector.ports import Partition
from collector.store import positions
from collector.store.dead_letters import park
from collector.store.feeds import Feed
from collector.store.positions import Advance, InputKind, Place, input_row
from collector.store.saving import Batch, Store
from dashboard.queries.dead_letter import letter
from dashboard.queries.event import payload
from dashboard.queries.events import with_header
from tests.integration.letter_world import AT, LetterWorld, dead_record, one, rows
from tests.integration.test_dead_letters import sent

pytestmark = pytest.mark.usefixtures("clean_tables")

ODD = (("n", None), ("n", b""), ("x\udcff", b"\x00\xff"), ("n", b"2"))


@pytest.fixture
def world() -> LetterWorld:
    return LetterWorld()


class Taking:
    """Batches of orders.created.dlq/0, stored as a collector stores them."""

    def __init__(self, world: LetterWorld) -> None:
        ((kafka_id,),) = rows("select kafka_id from topic where id = %s", world.dlq)
        assert isinstance(kafka_id, UUID)
        self._place, self._store = Place(kafka_id, 0), Store()
        self._input = input_row(InputKind.TAP, cluster_id=world.cluster, topic_name="*")
        self._reading = TapReading(TapRules(("*",), (), ()), {})
        self._reading.know([Feed(world.dlq, "orders.created.dlq", kafka_id, 2, holds_dead_letters=True)])
        positions.begin(self._input, {self._place: 0}, now=AT)
        self._next = 0

    def __call__(self, *records: Record) -> None:
        taken = self._reading.rows(records, {Partition("orders.created.dlq", 0): self._place})
        upto = records[-1].offset + 1
        batch = Batch(self._input, [Advance(self._place, self._next, upto)], tapped=taken.tapped, packed=taken.packed)
        self._store.save(batch, now=AT + timedelta(seconds=self._next))
        self._next = upto


def test_a_letters_bytes_are_kept_once_and_those_of_a_later_death_beside_its_record(world: LetterWorld) -> None:
    take, first = Taking(world), replace(dead_record(0), headers=(*dead_record(0).headers, *ODD))
    take(first)
    number = one("select id from dead_letter")
    again = dead_record(
        1, marks=(("x-weir-attempt", str(sent(number, world, offset=None)).encode()),), origin_offset=700
    )
    back = replace(dead_record(2), headers=(("kafka_dlt-original-topic", b"orders.created.dlq"),))
    take(again, back)
    assert rows("select kafka_offset from dead_letter_again") == [(1,)]
    assert one("select count(*) from record") == 3
    in_letters = rows("select kafka_offset from dead_letter order by 1")
    assert rows("select kafka_offset from record_body") == [(1,)]
    assert (0,) in in_letters
    for record in (first, again, back):
        found = payload("demo", "orders.created.dlq", 0, record.offset)
        assert found is not None
        assert (found.key, found.value, found.headers) == (record.key, record.value, record.headers)


def test_a_letter_has_the_size_and_the_context_of_its_record(world: LetterWorld) -> None:
    taking = Taking(world)
    plain = dead_record(0)
    named = replace(dead_record(1), headers=(*plain.headers, ("größe\udcff", b"12")))
    empty = replace(dead_record(2), headers=(*plain.headers, ("nothing", None)))
    taking(plain, named, empty)
    found = "select d.size_bytes, r.size_bytes, d.trace_id, d.span_id from dead_letter d join record r using"
    assert rows(f"{found} (topic_id, kafka_partition, kafka_offset) order by d.kafka_offset") == [
        (size_of(each), size_of(each), UUID(hex="ab" * 16), int.from_bytes(b"\xcd" * 8, "big", signed=True))
        for each in (plain, named, empty)
    ]


def test_a_letters_bytes_outlive_its_record(world: LetterWorld) -> None:
    Taking(world)(dead_record(0))
    rows("delete from record returning 1")
    found = payload("demo", "orders.created.dlq", 0, 0)
    assert found is not None
    assert (found.key, found.value, found.headers) == (b"order-0", dead_record(0).value, dead_record(0).headers)


def test_a_letter_is_found_by_a_header_that_is_not_indexed(world: LetterWorld) -> None:
    Taking(world)(*[dead_record(n) for n in range(3)])
    rows(
        "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
        " select 'record_body', inhrelid::regclass::text, '2000-01-01Z', '2100-01-01Z' from pg_inherits"
        " where inhparent = 'record_body'::regclass returning 1"
    )
    found = with_header("order-id=order-1", elapsed=lambda: 0.0)
    assert [row.address for row in found.rows] == ["orders.created.dlq/0/1"]
    assert with_header("order-id=order", elapsed=lambda: 0.0).rows == ()


def test_the_stack_is_read_from_the_letters_own_bytes_without_what_is_masked(world: LetterWorld) -> None:
    (number,) = world.park(dead_record(7))
    shown = letter(number)
    assert shown is not None
    assert "shop.billing.CardDeclined: card of order 7 declined\n" in shown.stack
    standing.pin(Rules((Rule(("orders.created",), Aim(headers=frozenset({"order-id"}), key=True)),)), seconds=60)
    rows("update dead_letter_body set headers = %s returning 1", _with_secret(number))
    try:
        shown = letter(number)
        assert shown is not None
        assert "order-7" not in shown.stack
        assert "card of ••• declined" in shown.stack
    finally:
        standing.pin(Rules(), seconds=0)


def _with_secret(number: int) -> bytes:
    """Its headers where the stack quotes a header that a rule masks."""
    ((headers,),) = rows("select headers from dead_letter_body where dead_letter_id = %s", number)
    assert isinstance(headers, bytes)
    return headers.replace(b"card of order 7 declined", b"card of order-7 declined")


def test_a_stack_that_a_mapping_names_is_shown(world: LetterWorld, tmp_path: Path) -> None:
    record = Record("orders.created.dlq", 0, 1, AT, 1, b"k", b'{"trace": "a.B: c\\n\\tat shop.D.e(D.java:1)"}', ())
    file = tmp_path / "weir.toml"
    file.write_text('[dead_letters.mine]\ntopics = ["orders.created.dlq"]\nstack = "$.trace"\n')
    call_command("apply", str(file))
    standing.pin(Rules(), seconds=0)
    read = parked_form(record, standing.mapping_of("orders.created.dlq"), Rules())
    assert read is not None
    with connection.cursor() as cursor:
        park(cursor, [(record, world.dlq, read)], now=AT)
    number = one("select id from dead_letter")
    shown = letter(number)
    assert shown is not None
    assert (shown.stack, shown.own_frames) == ("a.B: c\n\tat shop.D.e(D.java:1)", ("D.e:1",))
