"""The live socket as the web process serves it: who comes in, what is sent, and how a bad reader ends."""

import time
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from collector.changes import announce
from dashboard.models import Person
from tests.integration.people import person, signed_in
from tests.integration.web_process import HandshakeRefused, Page, Web, database_url, web

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def running(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    """One web process for all tests here."""
    with django_db_blocker.unblock():
        where = database_url()
    with web(tmp_path_factory.mktemp("web"), database=where) as started:
        yield started


@pytest.fixture
def served(running: Web, clean_tables: None) -> Web:
    """The web process, and clean tables afterwards."""
    return running


@pytest.fixture
def opened(served: Web) -> Iterator[Open]:
    """Opens sockets for a session's key; they are closed in the end."""
    pages: list[Page] = []

    def page(key: str, *, origin: str | None = None) -> Page:
        cookie = f"Cookie: weir_{served.port}={key}"
        found = Page(served.connect(), cookie, f"Origin: {origin or served.origin}")
        pages.append(found)
        return found

    yield page
    for found in pages:
        found.close()


def session_of(somebody: Person) -> str:
    return signed_in(somebody).cookies[settings.SESSION_COOKIE_NAME].value


def test_s12_only_a_page_of_ours_with_a_session_comes_in(served: Web) -> None:
    key = session_of(person("ada"))
    ours = f"Origin: http://127.0.0.1:{served.port}"
    cookie = f"Cookie: weir_{served.port}={key}"
    refused = {
        "no origin": (cookie,),
        "null": (cookie, "Origin: null"),
        "other port": (cookie, "Origin: http://127.0.0.1:3000"),
        "no port": (cookie, "Origin: http://127.0.0.1"),
        "https": (cookie, f"Origin: https://127.0.0.1:{served.port}"),
        "elsewhere": (cookie, "Origin: https://evil.example"),
        "looks alike": (cookie, f"Origin: http://127.0.0.1:{served.port}.evil.example"),
        "twice": (cookie, ours, ours),
        "a path": (cookie, f"{ours}/"),
        "empty": (cookie, "Origin: "),
        "no cookie": (ours,),
        "wrong cookie": (ours, f"Cookie: weir_{served.port}={'x' * 32}"),
        "foreign host": (cookie, ours, "Host: evil.example"),
    }
    for name, headers in refused.items():
        with pytest.raises(HandshakeRefused, match=r"40[03]"):
            Page(served.connect(), *headers)
        assert name
    accepted = [f"Origin: http://{name}:{served.port}" for name in ("127.0.0.1", "localhost", "[::1]")]
    for origin in accepted:
        page = Page(served.connect(), cookie, origin)
        assert b"deflate" not in page.head
        assert b"erver:" not in page.head
        page.close()


def test_a_page_gets_the_state_then_changes_and_bells(opened: Open) -> None:
    page = opened(session_of(person("ada")))
    page.say({"want": ["graph:900"]})
    snapshot = page.hear()
    assert isinstance(snapshot, dict)
    assert (snapshot["stream"], snapshot["kind"]) == ("graph:900", "snapshot")
    page.say({"ack": snapshot["seq"]})
    announce("letters", 1)
    heard = [page.hear()]
    page.say({"ack": heard[0]["seq"]})  # type: ignore[index]
    assert {"stream": "bell", "of": "letters"}.items() <= heard[0].items()  # type: ignore[union-attr]


def test_a_page_hears_only_the_bells_it_asks_for(opened: Open) -> None:
    page = opened(session_of(person("ada")))
    page.say({"want": [], "bells": ["retries"]})
    announce("letters", 1)
    announce("retries", 1)
    heard = page.hear()
    assert isinstance(heard, dict)
    assert (heard["stream"], heard["of"]) == ("bell", "retries")


def test_s15_who_does_not_acknowledge_gets_two_messages_and_no_more(opened: Open) -> None:
    silent, polite = (opened(session_of(person(name))) for name in ("silent", "polite"))
    for page in (silent, polite):
        page.say({"want": []})
    heard = 0
    for _ in range(4):
        announce("letters", 1)
        announce("retries", 1)
        for _ in range(2):
            message = polite.hear()
            assert isinstance(message, dict)
            polite.say({"ack": message["seq"]})
            heard += 1
        time.sleep(1.05)  # bells ring once a second
    assert heard == 8
    assert len([silent.hear(within=0.5), silent.hear(within=0.5)]) == 2
    with pytest.raises(TimeoutError):
        silent.hear(within=0.5)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"not json", 4007),
        (b'{"want": ["graph:901"]}', 4007),
        (b'{"want": ["secrets:900"]}', 4007),
        (b'{"want": "graph:900"}', 4007),
        (b'{"ack": 1, "more": 2}', 4007),
        (b'{"want": [], "bells": ["doors"]}', 4007),
        (b"[" * 4000, 4007),
        (b"{}", 4007),
    ],
)
def test_what_makes_no_sense_ends_the_socket(opened: Open, payload: bytes, code: int) -> None:
    page = opened(session_of(person("ada")))
    page.say_bytes(payload)
    assert page.hear() == code


def test_s15_large_frames_long_messages_and_floods_end_the_socket(opened: Open) -> None:
    key = session_of(person("ada"))
    large = opened(key)
    large.say_bytes(b" " * 5000)
    assert large.hear() in {None, 1009}
    pieces = opened(key)
    for number in range(3):
        pieces.say_bytes(b" " * 2000, opcode=0 if number else 1, final=number == 2)
    assert pieces.hear() == 4009
    flood = opened(key)
    for _ in range(30):
        flood.say({"ack": 1})
    assert flood.hear() == 4008


def test_s20_signing_out_closes_the_persons_sockets_at_once(opened: Open) -> None:
    ada, bob = person("ada"), person("bob")
    browser = signed_in(ada)
    mine = opened(browser.cookies[settings.SESSION_COOKIE_NAME].value)
    others = opened(session_of(bob))
    browser.post("/logout/")
    assert mine.hear() == 4001
    with pytest.raises(TimeoutError):
        others.hear(within=0.5)


def test_s20_a_change_of_rights_closes_them_too_and_everybody_is_looked_at_after_a_gap(opened: Open) -> None:
    ada = person("ada", "admin")
    page = opened(session_of(ada))
    Person.objects.filter(pk=ada.pk).update(is_active=False)
    with connection.cursor() as cursor:  # the hint is lost with the listener's connection; it comes back and looks
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir-live'")
    assert page.hear(within=10) == 4001


def test_a_socket_of_an_ended_session_is_refused(served: Web) -> None:
    key = session_of(person("ada"))
    session = SessionStore(key)
    session["seen_at"] -= 13 * 3600
    session.save()
    headers = (f"Cookie: weir_{served.port}={key}", f"Origin: {served.origin}")
    with pytest.raises(HandshakeRefused, match=r"40[03]"):
        Page(served.connect(), *headers)
    Session.objects.all().delete()
    with pytest.raises(HandshakeRefused, match=r"40[03]"):
        Page(served.connect(), *headers)
