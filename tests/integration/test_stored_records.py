"""A tapped record stands in the tables as it was read, whatever it holds."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.domain.records import Record
from collector.store.records import (
    FLOW_NAME,
    KEY_NAME,
    PackedRecords,
    Tapped,
    copy_bodies,
    copy_records,
    key_names,
    packed,
)
from tests.integration.intake_world import NOW, rows

FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1970, 9999))
TEXTS = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
RECORDS = st.builds(
    Record,
    topic=st.just("orders"),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    produced_at=st.none() | st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
    timestamp_type=st.integers(0, 2),
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=20),
    headers=st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=4).map(tuple),
)
CONTEXTS = st.none() | st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
TAPPED = st.builds(
    Tapped,
    record=RECORDS,
    topic_id=st.integers(0, 2**31 - 1),
    size_bytes=st.integers(0, 2**40),
    keeps_body=st.booleans(),
    context=CONTEXTS,
    event_id=st.none() | TEXTS,
    keys=st.lists(st.tuples(st.sampled_from([KEY_NAME, FLOW_NAME]), TEXTS), max_size=3).map(tuple),
    letter=st.none(),
    cause_id=st.none() | TEXTS,
)


@pytest.mark.django_db
@settings(max_examples=60)
@given(st.lists(TAPPED, max_size=4))
def test_the_tables_hold_what_was_tapped(tapped: list[Tapped]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        whole = [each for number, each in enumerate(tapped) if each.keeps_body or number % 2]
        ready = packed([each for number, each in enumerate(tapped) if not (each.keeps_body or number % 2)])
        copy_records(cursor, whole, PackedRecords(*ready), NOW)
        copy_bodies(cursor, tapped, NOW)
        found = rows(
            "select stored_at, produced_at, kafka_offset, trace_id, int8send(span_id), topic_id, kafka_partition,"
            " size_bytes, n_headers, timestamp_type, key, event_id, cause_id from record"
        )
        keys = rows("select stored_at, name_id, value, topic_id, kafka_partition, kafka_offset from record_key")
        bodies = rows("select stored_at, topic_id, kafka_partition, kafka_offset, value from record_body")
        transaction.set_rollback(True)
    assert in_order(found) == in_order([record(each) for each in tapped])
    assert in_order(keys) == in_order([(NOW, n, text, *place(each)) for each in tapped for n, text in each.keys])
    assert in_order(bodies) == in_order([(NOW, *place(each), each.record.value) for each in tapped if each.keeps_body])


def place(each: Tapped) -> tuple[int, int, int]:
    return each.topic_id, each.record.partition, each.record.offset


def record(each: Tapped) -> tuple[Any, ...]:
    its = each.record
    trace, span = each.context or (None, None)
    return (
        NOW,
        its.produced_at,
        its.offset,
        trace and UUID(bytes=trace),
        span,
        each.topic_id,
        its.partition,
        min(each.size_bytes, 2**31 - 1),
        len(its.headers),
        its.timestamp_type,
        its.key,
        each.event_id,
        each.cause_id,
    )


def in_order(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    plain = [tuple(bytes(each) if isinstance(each, memoryview) else each for each in row) for row in found]
    return sorted(plain, key=repr)


@pytest.mark.django_db
def test_the_first_names_of_business_keys_are_all_made_at_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from key_name where id > 1")
        cursor.execute("alter table key_name alter id restart with 1")
    assert key_names(["tenant", "order-id"]).keys() == {"tenant", "order-id"}
    assert key_names(["tenant", "order-id"]) == key_names(["order-id", "tenant"])
