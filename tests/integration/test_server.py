"""Our Daphne: bodies, dribblers, stops (docs/security.md S14)."""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.certificates import Authority
from tests.integration.web_process import HandshakeRefused, Page, Web, database_url, web

pytestmark = pytest.mark.django_db(transaction=True)
MB = 1024 * 1024


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


def status_of(connected: socket.socket) -> bytes:
    """The first line of the answer."""
    data = b""
    while b"\r\n" not in data:
        more = connected.recv(4096)
        if not more:
            break
        data += more
    return data.split(b"\r\n", 1)[0]


def head(served: Web, *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} /login/ HTTP/1.1", f"Host: 127.0.0.1:{served.port}", *lines, "", ""]).encode()


def test_a_declared_body_over_the_cap_is_refused_before_it_is_read(served: Web) -> None:
    with served.connect() as connected:
        connected.sendall(head(served, f"Content-Length: {300 * MB}"))
        assert status_of(connected) == b"HTTP/1.1 413 Request Entity Too Large"


def test_a_chunked_body_over_the_cap_is_refused_and_not_kept(served: Web) -> None:
    before = served.rss_mb()
    with served.connect() as connected:
        connected.sendall(head(served, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(64):
            connected.sendall(chunk * 16)
        assert status_of(connected) == b"HTTP/1.1 413 Request Entity Too Large"
    assert served.rss_mb() - before < 20


def test_a_body_under_the_cap_gets_through(served: Web) -> None:
    with served.connect() as connected:
        connected.sendall(head(served, f"Content-Length: {MB - 1}", "Content-Type: text/plain") + b"x" * (MB - 1))
        assert status_of(connected) == b"HTTP/1.1 403 Forbidden"  # no CSRF token: Django was asked


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: -1",),
        ("X-Long: " + "x" * 20_000,),
    ],
)
def test_ambiguous_or_endless_heads_are_refused_with_our_headers(served: Web, lines: tuple[str, ...]) -> None:
    with served.connect() as connected:
        connected.sendall(head(served, *lines))
        answer = connected.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"nosniff" in answer
    assert b"erver:" not in answer


def test_many_dribbling_clients_do_not_keep_a_page_from_others(served: Web) -> None:
    before = served.rss_mb()
    dribblers = [served.connect() for _ in range(300)]
    try:
        for connected in dribblers:
            connected.sendall(head(served, "Content-Length: 100") + b"x")
        began = time.monotonic()
        with served.connect() as connected:
            connected.sendall(head(served, "Connection: close", method="GET"))
            assert status_of(connected) == b"HTTP/1.1 200 OK"
        assert time.monotonic() - began < 5
        assert served.rss_mb() - before < 25
    finally:
        for connected in dribblers:
            connected.close()


def test_it_stops_in_time_with_open_connections(clean_tables: None, tmp_path: Path) -> None:
    with web(tmp_path, database=database_url()) as started, started.connect() as idle:
        idle.sendall(head(started, "Content-Length: 100") + b"x")
        began = time.monotonic()
        started.process.terminate()
        assert started.process.wait(timeout=15) == 0
        assert time.monotonic() - began < 6
        assert os.stat(tmp_path / "static").st_mode & 0o077 == 0, "its files are private"


def test_a_taken_port_is_named_with_its_setting(served: Web, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    log = second / "web.log"
    with pytest.raises(AssertionError), web(second, database=database_url(), WEIR_HTTP_PORT=str(served.port)):
        pass
    assert f"Port {served.port} is taken. WEIR_HTTP_PORT names another one." in log.read_text()


def test_pages_and_the_live_socket_are_served_by_tls_where_a_certificate_is_given(
    clean_tables: None, tmp_path: Path
) -> None:
    authority = Authority()
    pair = authority.signed("weir")
    trusting = ssl.create_default_context(cadata=authority.certificate)
    with web(tmp_path, database=database_url(), WEIR_TLS_CERT=pair.certificate, WEIR_TLS_KEY=pair.key) as served:
        with closing(http.client.HTTPSConnection("127.0.0.1", served.port, timeout=30, context=trusting)) as pages:
            pages.request("GET", "/login/")
            answer = pages.getresponse()
            assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
            assert "__Host-weir_csrf" in answer.headers["Set-Cookie"]
        secured = trusting.wrap_socket(served.connect(), server_hostname="127.0.0.1")
        with closing(secured), pytest.raises(HandshakeRefused, match="403"):  # the socket's own rules answered
            Page(secured, f"Origin: https://127.0.0.1:{served.port}")
        with served.connect() as plain:
            plain.sendall(head(served, method="GET"))
            assert not status_of(plain).startswith(b"HTTP/1.1 200")
