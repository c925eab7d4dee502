"""The tables as migrations make them."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_every_dictionary_has_its_row_zero() -> None:
    with connection.cursor() as cursor:
        for table in (
            "cluster",
            "service",
            "service_version",
            "source",
            "topic",
            "consumer_group",
            "edge",
            "span_name",
        ):
            cursor.execute(f"select count(*) from {table} where id = 0")
            assert cursor.fetchone() == (1,), table


def test_the_audit_log_takes_no_change() -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into audit_entry (at, person_name, action, result) values (now(), 'a', 'b', 'done')")
        for verb in ("update audit_entry set action = 'x'", "delete from audit_entry", "truncate audit_entry"):
            cursor.execute("savepoint before")
            with pytest.raises(Exception, match="append-only"):
                cursor.execute(verb)
            cursor.execute("rollback to savepoint before")


# By which column rows are spread on a distributed Postgres such as Citus (docs/operations.md). All other tables are on
# one node, or copied to all.
DISTRIBUTED = {
    "span": "trace_id",
    "span_link": "trace_id",
    "span_error": "trace_id",
    "span_detail_kept": "trace_id",
    "span_detail": "stored_at",
    "record": "topic_id",
    "record_body": "topic_id",
    "record_key": "topic_id",
    "topic_sample": "topic_id",
    "group_sample": "topic_id",
    "sample_chunk": "topic_id",
    "topic_10m": "topic_id",
    "topic_1h": "topic_id",
    "group_10m": "topic_id",
    "group_1h": "topic_id",
    "edge_10s": "edge_id",
    "edge_1m": "edge_id",
    "edge_1h": "edge_id",
}


def found(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(DISTRIBUTED), list(DISTRIBUTED.values())])
        return list(cursor.fetchall())


NAMED = "unnest(%s::text[], %s::text[]) n(name, key) join pg_class c on c.oid = to_regclass(n.name)"


def test_every_partitioned_table_can_be_distributed_by_a_column_that_is_never_null() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class where relkind = 'p' and relnamespace = 'public'::regnamespace"
            " and relname <> 'undecodable'"
        )
        assert {name for (name,) in cursor.fetchall()} <= DISTRIBUTED.keys()
    known = found(
        f"select n.name from {NAMED} join pg_attribute a on a.attrelid = c.oid and a.attname = n.key and a.attnotnull"
    )
    assert {name for (name,) in known} == DISTRIBUTED.keys()


def test_keys_and_constraints_stay_compatible_with_the_column_of_distribution() -> None:
    unique = found(
        f"select n.name, i.indexrelid::regclass::text from {NAMED} join pg_index i on i.indrelid = c.oid"
        " and i.indisunique and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = n.key"
        "   and a.attnum = any(i.indkey::smallint[]))"
    )
    assert unique == [], "unique without the column of distribution"
    foreign = found(
        f"select n.name, k.conname from {NAMED} join pg_constraint k on k.contype = 'f'"
        " and c.oid in (k.conrelid, k.confrelid)"
    )
    assert foreign == [], "foreign keys"
    serial = found(
        f"select n.name, a.attname from {NAMED} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " where a.attidentity <> '' or exists (select from pg_attrdef d where d.adrelid = c.oid and d.adnum = a.attnum"
        "   and pg_get_expr(d.adbin, d.adrelid) like 'nextval%%')"
    )
    assert serial == [], "numbers that one node would have to give out"
    triggers = found(
        f"select n.name, t.tgname from {NAMED} join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal"
    )
    assert triggers == []
