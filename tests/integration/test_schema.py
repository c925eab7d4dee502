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
