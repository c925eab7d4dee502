"""A database without the leaves that take everything, for tests of leaves."""

from collections.abc import Iterator

import pytest
from django.db import connection

from collector.store.partitions import TABLES


@pytest.fixture
def own_leaves(clean_tables: None) -> Iterator[None]:
    """No leaves: those of all other tests are put aside."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"alter table {table} detach partition {table}_all")
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "select inhparent::regclass::text, inhrelid::regclass::text from pg_inherits"
            " where inhparent = any(select oid from pg_class where relkind = 'p')"
        )
        for table, leaf in cursor.fetchall():
            cursor.execute(f"alter table {table} detach partition {leaf}")
            cursor.execute(f"drop table {leaf}")
        cursor.execute("delete from raw_partition")
        for table in TABLES:
            cursor.execute(f"alter table {table} attach partition {table}_all for values from (minvalue) to (maxvalue)")
