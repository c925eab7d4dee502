"""How raw leaves are read: of the open one the planner may know nothing, for it is counted a minute late or more."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Plans are made once a connection, and none reads a whole leaf: planning anew costs more than running.
BY_INDEX = """set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
  set_config('jit', 'off', true)"""
# Without the number of its rows, sorting all of a partition looks cheaper than walking its index from the end.
IN_ORDER = """set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
  set_config('jit', 'off', true)"""


@contextmanager
def by_index() -> Iterator[None]:
    """Around what looks up single rows in raw leaves. A transaction and one statement."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"select {BY_INDEX}")
        yield


@contextmanager
def in_order() -> Iterator[None]:
    """Around what takes the newest rows of partitions, by the index that has them in order. The same cost."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"select {IN_ORDER}")
        yield
