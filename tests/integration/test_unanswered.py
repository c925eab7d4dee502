"""Where Postgres does not answer in time, pages and the API say so, and what can be done."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client
from psycopg.errors import AdminShutdown, DeadlockDetected
from psycopg_pool import PoolTimeout

from dashboard.unanswered import AWAY, BUSY, TOO_LONG, why
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def held_up() -> Iterator[None]:
    """Another session holds the dead letters, and nobody waits longer than 0.3 s for them."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("lock table dead_letter in access exclusive mode")
        with connection.cursor() as cursor:
            cursor.execute("set statement_timeout = 300")
        yield
        with connection.cursor() as cursor:
            cursor.execute("reset statement_timeout")


def test_a_page_that_took_too_long_says_what_to_do(held_up: None) -> None:
    client = signed_in(person("olga", "operator"))
    client.raise_request_exception = False
    answer = client.get("/dead-letters/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    page = answer.content.decode()
    assert TOO_LONG.heading in page
    assert "Choose a shorter time range" in page


def test_so_does_the_api(held_up: None) -> None:
    token = token_of(person("script", "operator"), "read")
    answer = Client(raise_request_exception=False).get("/api/v1/dead-letters", headers=bearer(token))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert TOO_LONG.sentence in answer.json()["detail"]


def test_an_error_of_weirs_own_is_none_of_postgres_being_away() -> None:
    busy = OperationalError("couldn't get a connection after 5.00 sec")
    busy.__cause__ = PoolTimeout()
    ended, deadlock = OperationalError("terminating connection"), OperationalError("deadlock detected")
    ended.__cause__, deadlock.__cause__ = AdminShutdown(), DeadlockDetected()
    errors = (busy, ended, OperationalError("refused"), InterfaceError("closed"), deadlock, KeyError("x"), None)
    assert [why(each) for each in errors] == [BUSY, AWAY, AWAY, AWAY, None, None, None]
