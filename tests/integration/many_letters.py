"""A failure of very many letters that were sent, and what a statement reads of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.integration.letter_world import dead_record, rows
from tests.integration.retry_world import RetryWorld

MANY = 5_000


@pytest.fixture
def world() -> RetryWorld:
    """One failure of 5,000 letters, all sent an hour ago and without an answer, save the 50 that were sent just now."""
    made = RetryWorld()
    made.letters.park(dead_record(1))
    rows(
        "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, size_bytes)"
        " select %s, 1, n, 'spring', now() - interval '2 hours', now() - interval '2 hours', 10"
        " from generate_series(1, %s) n returning 1",
        made.letters.dlq, MANY,
    )  # fmt: skip
    rows(
        "insert into letter_state (dead_letter_id, failure_group_id, status, changed_at)"
        " select d.id, g.id, 2, now() from dead_letter d, failure_group g where d.kafka_partition = 1 returning 1"
    )
    rows(
        "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at, confirmed_at,"
        " wait_seconds, failure_groups) select 'm', gen_random_uuid(), 7, 'olga', 1, now() - interval '1 hour',"
        " now() - interval '1 hour', 120, array[id] from failure_group returning 1"
    )
    rows(
        "insert into retry_item (operation_id, ordinal, dead_letter_id, status, attempt_id, target_topic_id,"
        " verify_origin, sent_at, sent_partition, sent_offset)"
        " select o.id, d.kafka_offset, d.id, 2, gen_random_uuid(), %s, false, case when d.kafka_offset <= 50 then now()"
        "   else now() - interval '1 hour' end, 0, d.kafka_offset"
        " from retry_operation o, dead_letter d where d.kafka_partition = 1 returning 1",
        made.letters.orders,
    )  # fmt: skip
    with connection.cursor() as cursor:
        for table in ("dead_letter", "letter_state", "retry_item", "retry_operation"):
            cursor.execute(f"vacuum analyze {table}")
    return made


def scans(asked: CaptureQueriesContext, word: str) -> Iterator[dict[str, Any]]:
    """How the statement with this word reads each table: the plan's scans, as they really went."""
    (statement,) = [query["sql"] for query in asked.captured_queries if word in query["sql"]]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "set local enable_seqscan = off"
        )  # as it is with a million; what is read is counted all the same
        cursor.execute(f"explain (analyze, format json) {statement}")
        (found,) = cursor.fetchone()
        transaction.set_rollback(True)
    nodes = [(found if isinstance(found, list) else json.loads(found))[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node or "Index Name" in node:
            yield node


def n_read(node: dict[str, Any]) -> float:
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def read_of(asked: CaptureQueriesContext, word: str, *tables: str) -> dict[str, float]:
    """The most that one scan reads of each of these tables; none is read from end to end."""
    most: dict[str, float] = {}
    for node in scans(asked, word):
        table = node.get("Relation Name", "")
        if table in tables:
            assert node["Node Type"] != "Seq Scan", node
            most[table] = max(most.get(table, 0), n_read(node))
    return most
