"""What counts as a database that is away, and what as a value that it will never take."""

import os
import socket

import pytest
from django.db import DataError, InternalError, ProgrammingError, connection, transaction

from collector.store.connection import StoreAway, is_away, reaching

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_no_index_holds_is_not_waited_for() -> None:
    """It would be tried for ever, and everything behind it would wait."""
    with reaching(), connection.cursor() as cursor:
        cursor.execute("create temporary table held (name text unique)")
        with pytest.raises(DataError), reaching():
            cursor.execute("insert into held values (%s)", [os.urandom(4_000).hex()])


def test_a_database_that_is_read_only_for_a_while_is_away() -> None:
    with pytest.raises(StoreAway):
        write_in_vain()


def write_in_vain() -> None:
    with reaching(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set transaction read only")
        cursor.execute("insert into key_name (name) values ('n')")


def test_a_mistake_of_ours_is_no_database_that_is_away() -> None:
    with pytest.raises(ProgrammingError), reaching(), connection.cursor() as cursor:
        cursor.execute("select from no_such_table")
    assert not is_away(InternalError("of no known kind"))


def test_a_database_whose_machine_is_gone_without_a_word_is_noticed_within_a_minute() -> None:
    """What the kernel was told; by default a save would hang for a quarter of an hour, and a wait for two hours."""
    connection.ensure_connection()
    raw = connection.connection.pgconn.socket
    with socket.socket(fileno=os.dup(raw)) as line:
        kept = [line.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
        tries = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert kept[0] + tries * kept[1] <= 60
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
