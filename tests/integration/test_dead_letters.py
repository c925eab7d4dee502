"""Dead letters in real tables: parked once, counted once, and folded when they die again."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from collector.domain.frames import unframed
from collector.domain.keys import key_hash
from collector.domain.records import Headers, Record, size_of
from collector.store.dead_letters import park
from tests.integration.letter_world import AT, LetterWorld, dead_record, letter_of, one, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> LetterWorld:
    return LetterWorld()


def sent(letter: int, world: LetterWorld, *, offset: int | None) -> uuid.UUID:
    """A send of this letter to orders.created/0/<offset>, as the dispatcher leaves it (None: not reported yet)."""
    operation = one(
        "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at)"
        " values ('t', gen_random_uuid(), 1, 'operator1', 1, %s) returning id", AT,
    )  # fmt: skip
    attempt = uuid.uuid4()
    rows(
        "insert into retry_item (operation_id, ordinal, dead_letter_id, status, attempt_id, target_topic_id,"
        " verify_origin, search_from, sent_partition, sent_offset)"
        " values (%s, 0, %s, %s, %s, %s, true, '{\"0\": 500}', %s, %s) returning ordinal",
        operation, letter, 1 if offset is None else 2, attempt, world.orders, None if offset is None else 0, offset,
    )  # fmt: skip
    return attempt


def test_the_same_failure_on_two_clusters_is_two_groups_each_with_its_own_topic(world: LetterWorld) -> None:
    world.park(dead_record(1), dead_record(2))
    west = LetterWorld("west")
    west.park(dead_record(1))
    assert rows("select cluster_id, topic_id, group_id from failure_group order by 1") == [
        (world.cluster, world.orders, world.billing),
        (west.cluster, west.orders, west.billing),
    ]
    assert rows("select topic_id, n from failure_count order by 1") == [(world.dlq, 2), (west.dlq, 1)]


def test_a_dead_letter_is_stored_with_all_that_its_headers_say(world: LetterWorld) -> None:
    world.park(dead_record(1))
    assert rows(
        "select dialect, group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message,"
        " key_text, failed_at, expires_at, encode(uuid_send(trace_id), 'hex') from dead_letter"
    ) == [
        ("spring", world.billing, world.orders, 0, 101, "shop.billing.CardDeclined", "card of order 1 declined",
         "order-1", AT, AT + timedelta(days=7), "ab" * 16)
    ]  # fmt: skip
    assert rows("select seen_at, size_bytes, span_id, key_hash, n_attempts from dead_letter") == [
        (AT, size_of(dead_record(1)), int.from_bytes(b"\xcd" * 8, "big", signed=True), key_hash(b"order-1"), None)
    ]
    state = "select s.status, s.attempt, s.changed_at from letter_state s join dead_letter d on d.id = s.dead_letter_id"
    assert rows(state) == [(0, 1, AT)]
    assert rows("select title, group_id, topic_id from failure_group") == [
        ("CardDeclined at Gateway.charge:88", world.billing, world.orders)
    ]
    ((headers, value),) = rows("select headers, value from dead_letter_body")
    assert isinstance(headers, bytes)
    assert unframed(headers) == dead_record(1).headers
    assert value == b'{"amount": 12.5}'


@pytest.mark.parametrize("claimed", [b"9999-12-31T23:59:59+00:00", b"253402300799000", b"2026-11-24T00:00:00Z"])
def test_a_failure_that_claims_to_be_still_to_come_is_dated_now(world: LetterWorld, claimed: bytes) -> None:
    record = replace(dead_record(1), headers=(("x-original-topic", b"orders.created"), ("failed-at", claimed)))
    world.park(replace(record, produced_at=datetime.max.replace(tzinfo=UTC)))
    assert rows("select failed_at, expires_at from dead_letter") == [(AT, None)]
    assert rows("select last_at from failure_group") == [(AT,)]


def test_a_batch_that_is_read_again_changes_nothing(world: LetterWorld) -> None:
    letters = [dead_record(n) for n in range(5)]
    world.park(*letters)
    world.park(*letters, dead_record(5))
    assert rows("select status, n from failure_count") == [(0, 6)]
    assert one("select count(*) from dead_letter_body") == one("select count(*) from letter_state") == 6


def test_a_null_value_stays_null_and_a_binary_key_has_no_text(world: LetterWorld) -> None:
    world.park(replace(dead_record(1), value=None, key=b"\xff\x00"))
    assert rows("select value, key from dead_letter_body") == [(None, b"\xff\x00")]
    assert rows("select key_text, key_hash is not null from dead_letter") == [(None, True)]


def test_a_letter_that_died_again_is_folded_by_its_attempt_before_the_send_is_reported(world: LetterWorld) -> None:
    (letter,) = world.park(dead_record(1))
    attempt = sent(letter, world, offset=None)
    again = dead_record(2, marks=(("x-weir-attempt", str(attempt).encode()),), origin_offset=700)
    assert world.park(again) == [letter]
    assert world.park(again) == [letter]
    assert rows("select dead_letter_id, attempt_id, exception_class from dead_letter_again") == [
        (letter, attempt, "shop.billing.CardDeclined")
    ]


def test_a_letter_that_died_again_is_folded_by_its_position_when_the_marks_were_lost(world: LetterWorld) -> None:
    (letter,) = world.park(dead_record(1))
    sent(letter, world, offset=700)
    assert world.park(dead_record(2, origin_offset=700)) == [letter]


@pytest.mark.parametrize(
    "change",
    [
        {"value": b'{"amount": 0}'},
        {"headers_of": {"group": "shipping"}},
        {"headers_of": {"origin_offset": 499}},
    ],
    ids=["another value", "another group", "before the search"],
)
def test_s42_a_forged_or_foreign_attempt_is_a_letter_of_its_own(world: LetterWorld, change: dict[str, object]) -> None:
    (letter,) = world.park(dead_record(1))
    attempt = sent(letter, world, offset=None)
    how = change.pop("headers_of", {})
    assert isinstance(how, dict)
    copy = dead_record(2, marks=(("x-weir-attempt", str(attempt).encode()),), **{"origin_offset": 700, **how})
    assert len(world.park(replace(copy, **change))) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(("topic", "n_letters"), [("orders.created.dlq", 1), ("orders.created.dlq.shipping", 2)])
def test_a_death_that_names_no_group_is_of_the_same_letter_only_on_the_same_dead_letter_topic(
    world: LetterWorld, topic: str, n_letters: int
) -> None:
    nobody = replace(dead_record(1), headers=_without_group(dead_record(1)))
    (letter,) = world.park(nobody)
    sent(letter, world, offset=700)
    died = dead_record(2, group="shipping", origin_offset=700)
    world.topic("orders.created.dlq.shipping", role=1)
    lies = one("select id from topic where name = %s", topic)
    with connection.cursor() as cursor:
        park(cursor, [(replace(died, topic=topic), lies, letter_of(died))], now=AT)
    assert one("select count(*) from dead_letter") == n_letters
    assert one("select count(*) from dead_letter_again") == 2 - n_letters


def _without_group(record: Record) -> Headers:
    return tuple(header for header in record.headers if header[0] != "kafka_dlt-original-consumer-group")


def test_a_claimed_topic_that_the_cluster_does_not_have_gets_no_row(world: LetterWorld) -> None:
    n_topics = one("select count(*) from topic")
    record = dead_record(1)
    forged = tuple((n, b"nowhere" if n == "kafka_dlt-original-topic" else v) for n, v in record.headers)
    world.park(replace(record, headers=forged))
    assert rows("select origin_topic_id, origin_offset from dead_letter") == [(None, 101)]
    assert one("select count(*) from topic") == n_topics


def test_s9_text_that_postgres_cannot_hold_is_stored_all_the_same(world: LetterWorld) -> None:
    record = dead_record(1)
    nul = tuple((n, b"a\x00\xff" if n.startswith("kafka_dlt-exc") else v) for n, v in record.headers)
    world.park(replace(record, headers=(*nul, ("x\x00", b"\x00"))))
    assert one("select count(*) from dead_letter") == 1
