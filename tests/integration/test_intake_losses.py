"""What did not get in, as Health lists it: by topic, position and reason, and never with a byte of it."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from collector.store.clusters import UNKNOWN
from collector.store.positions import InputKind, input_row
from dashboard.queries.intake_losses import MOST, Gap, IntakeLosses, Undecodable, intake_losses
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db
ORDERS, GONE = UUID(int=1), UUID(int=2)
AT = now()


def run(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)  # type: ignore[arg-type]


@pytest.fixture
def inputs() -> tuple[int, int]:
    """The spool, and all taps of a cluster that has one topic."""
    with connection.cursor() as cursor:
        cursor.execute("insert into cluster (name) values ('east') returning id")
        cluster = cursor.fetchone()[0]
    run("insert into topic (cluster_id, name, kafka_id) values (%s, 'orders.created', %s)", cluster, ORDERS)
    spool = input_row(InputKind.SPOOL, cluster_id=UNKNOWN, topic_name="weir.spool")
    return spool, input_row(InputKind.TAP, cluster_id=cluster, topic_name="*")


def refused(input_id: int, topic: UUID, offset: int, *, hours_ago: float = 0.0) -> None:
    run(
        "insert into undecodable values (%s, %s, %s, 3, %s, 'no OTLP', 7, 'secret!')",
        AT - timedelta(hours=hours_ago),
        input_id,
        topic,
        offset,
    )


def skipped(input_id: int, topic: UUID, expected: int, resumed: int) -> None:
    run(
        "insert into intake_gap (noticed_at, input_id, topic_uuid, partition, expected_offset, resumed_offset)"
        " values (%s, %s, %s, 3, %s, %s)",
        AT,
        input_id,
        topic,
        expected,
        resumed,
    )


def test_each_is_told_by_its_topic_as_far_as_that_is_known(
    inputs: tuple[int, int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    spool, taps = inputs
    refused(spool, GONE, 41)
    refused(taps, ORDERS, 42, hours_ago=1)
    refused(taps, GONE, 43, hours_ago=2)
    refused(taps, ORDERS, 44, hours_ago=25)
    skipped(taps, ORDERS, 5, 9)
    with django_assert_num_queries(2):
        found = intake_losses(now=AT)
    assert found == IntakeLosses(
        (
            Undecodable(AT, "weir.spool", 3, 41, 7, "no OTLP"),
            Undecodable(AT - timedelta(hours=1), "orders.created", 3, 42, 7, "no OTLP"),
            Undecodable(AT - timedelta(hours=2), "", 3, 43, 7, "no OTLP"),
        ),
        (Gap(AT, "orders.created", 3, 5, 9),),
    )


def test_the_page_lists_the_newest_and_shows_no_byte_of_them(inputs: tuple[int, int]) -> None:
    spool, taps = inputs
    browser = signed_in(person("victor"))
    page = browser.get("/health/").content.decode()
    assert 'id="undecodable"' not in page
    assert 'id="gaps"' not in page
    for offset in range(1_000, 1_002 + MOST):
        refused(spool, GONE, offset, hours_ago=(2_000 - offset) / 1_000)
    skipped(taps, ORDERS, 7_001, 9_001)
    page = browser.get("/health/").content.decode()
    assert page.count("no OTLP") == MOST
    assert "1,011" in page
    assert "1,001" not in page
    assert "7,001" in page
    assert "9,001" in page
    assert "secret" not in page
