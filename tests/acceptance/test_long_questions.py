"""Fifty of the longest questions of one person, at once: whoever looks at the overview does not notice (S61)."""

import http.client
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from dashboard.crowding import MOST_AT_ONCE
from dashboard.models import Person
from tests.integration.people import person, signed_in
from tests.integration.web_process import Web, database_url, web

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]

MOST_SECONDS = 2.0  # for the overview
N_LOOKS = 5
STRIDE = 13  # shares no factor with fifty
QUESTIONS = (
    *(f"/events/?q=order-{number}" for number in range(14)),
    *(f"/events/?q=header:tenant%3Dacme-{number}" for number in range(4)),
    *(f"/events/?q=orders.created/0/{number}" for number in range(6)),
    "/events/",
    "/events/?view=stuck",
    *(f"/search?q=o-{number}" for number in range(10)),
    *(f"/events/traces/{number:032x}/" for number in range(1, 11)),
    *(f"/?find=event:orders.created/0/{number}" for number in range(4)),
)


@contextmanager
def nothing_is_found() -> Iterator[None]:
    """Every look into what was stored takes as long as it may: these tables answer nobody."""
    with psycopg.connect(database_url()) as holder:
        holder.execute("lock table span, span_link, record, record_key in access exclusive mode")
        yield
        holder.rollback()


def session_of(somebody: Person) -> str:
    return signed_in(somebody).cookies[settings.SESSION_COOKIE_NAME].value


def asked(served: Web, address: str, session: str) -> tuple[int, float]:
    """The status, and the seconds that it took."""
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connected:
        connected.request("GET", address, headers={"Cookie": f"weir_{served.port}={session}"})
        answer = connected.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began


def mixed(addresses: Sequence[str]) -> list[str]:
    """Those that come first are of every kind."""
    return [addresses[number * STRIDE % len(addresses)] for number in range(len(addresses))]


@pytest.mark.usefixtures("clean_tables")
def test_s61_fifty_long_questions_at_once_leave_the_overview_within_two_seconds(tmp_path: Path) -> None:
    assert len(set(QUESTIONS)) == len(set(mixed(QUESTIONS))) == 50
    vera, otto = session_of(person("vera", "operator")), session_of(person("otto"))
    with web(tmp_path, database=database_url()) as served:
        assert asked(served, "/", otto)[0] == 200
        with ThreadPoolExecutor(len(QUESTIONS)) as many, nothing_is_found():
            answers = [many.submit(asked, served, address, vera) for address in mixed(QUESTIONS)]
            looks = [asked(served, "/", otto)]
            n_running = sum(not each.done() for each in answers)
            while len(looks) < N_LOOKS:
                time.sleep(0.3)  # the questions take five seconds
                looks.append(asked(served, "/", otto))
            statuses = Counter(each.result()[0] for each in answers)
        assert n_running >= MOST_AT_ONCE, "the overview was asked for while they ran"
        assert [status for status, _ in looks] == [200] * N_LOOKS
        assert max(seconds for _, seconds in looks) <= MOST_SECONDS
        assert statuses[429] >= len(QUESTIONS) - 2 * MOST_AT_ONCE, "all but who ran or waited are told to come again"
        assert asked(served, QUESTIONS[0], vera)[0] == 200
