"""The outermost layer: hosts, honest scopes, headers on every answer, and a bounded crowd."""

import asyncio
from typing import Any

import pytest

from dashboard import addresses
from dashboard.guard import DEFAULT_HEADERS, HEADERS, HSTS, Guard, Limits

OURS = frozenset({"weir.example", "127.0.0.1", "localhost", "[::1]"})
PROXY = [addresses.network("10.0.0.1")]


class Inside:
    """The application behind the guard: keeps what it was asked, answers with `headers`."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.scopes: list[Any] = []
        self.headers = list(headers)
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"inside"})


def scope(*headers: tuple[bytes, bytes], peer: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "path": "/",
        "query_string": b"",
        "scheme": "http",
        "root_path": "/evil",
        "client": [peer, 5],
        "headers": headers or ((b"host", b"127.0.0.1:8000"),),
        **more,
    }


async def answer(guard: Guard, asked: dict[str, Any]) -> tuple[int, dict[bytes, bytes], bytes]:
    events: list[Any] = []

    async def send(event: Any) -> None:
        events.append(event)

    await guard(asked, None, send)  # type: ignore[arg-type]
    assert len({name for name, _ in events[0]["headers"]}) == len(events[0]["headers"]), "a header twice"
    return events[0]["status"], dict(events[0]["headers"]), events[1]["body"]


def asked_once(asked: dict[str, Any], **limits: Any) -> tuple[int, dict[bytes, bytes], bytes, Inside]:
    inside = Inside()
    guard = Guard(inside, Limits(hosts=OURS, **limits))
    return (*asyncio.run(answer(guard, asked)), inside)


@pytest.mark.parametrize("host", [b"127.0.0.1:8000", b"LOCALHOST", b"[::1]:8000", b"weir.example:443"])
def test_s11_a_host_of_ours_gets_through(host: bytes) -> None:
    status, _, body, _ = asked_once(scope((b"host", host)))
    assert (status, body) == (200, b"inside")


@pytest.mark.parametrize(
    "headers",
    [
        ((b"host", b"evil.example"),),
        ((b"host", b"127.0.0.1.evil.example"),),
        ((b"host", b"127.0.0.1@evil.example"),),
        ((b"host", b""),),
        ((b"accept", b"*/*"),),
        ((b"host", b"127.0.0.1"), (b"host", b"127.0.0.1")),
    ],
)
def test_s11_another_host_none_or_two_never_reach_the_application(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    status, found, _, inside = asked_once(scope(*headers))
    assert status == 400
    assert not inside.scopes
    assert set(HEADERS) <= set(found.items())


def test_s9_a_nul_in_the_address_is_refused() -> None:
    assert asked_once(scope(path="/topics/a\x00"))[0] == 400
    assert asked_once(scope(query_string=b"q=%00"))[0] == 400


FORGED = (
    (b"host", b"127.0.0.1"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
    (b"forwarded", b"for=203.0.113.9;proto=https"),
    (b"x-real-ip", b"203.0.113.9"),
    (b"daphne-root-path", b"/evil"),
)


@pytest.mark.parametrize(
    ("peer", "trusted", "client", "scheme"),
    [
        ("198.51.100.1", [], "198.51.100.1", "http"),
        ("198.51.100.1", PROXY, "198.51.100.1", "http"),
        ("10.0.0.1", PROXY, "203.0.113.9", "https"),
        ("127.0.0.1", [], "127.0.0.1", "http"),
    ],
)
def test_s13_only_a_trusted_proxy_says_who_asks_and_how(peer: str, trusted: Any, client: str, scheme: str) -> None:
    inside = asked_once(scope(*FORGED, peer=peer), trusted=trusted)[3]
    (seen,) = inside.scopes
    assert seen["client"][0] == client
    assert seen["scheme"] == scheme
    assert seen["root_path"] == ""
    assert seen["headers"] == [(b"host", b"127.0.0.1")]
    assert seen["state"]["proxied"] is True


def test_s13_the_last_proto_counts_for_what_stands_left_was_written_by_somebody_else() -> None:
    headers = ((b"host", b"127.0.0.1"), (b"x-forwarded-proto", b"https, http"))
    (seen,) = asked_once(scope(*headers, peer="10.0.0.1"), trusted=PROXY)[3].scopes
    assert seen["scheme"] == "http"


def test_s6_an_answers_own_server_and_framing_headers_do_not_survive() -> None:
    inside = Inside((b"Server", b"x"), (b"X-Frame-Options", b"ALLOWALL"), (b"content-type", b"text/plain"))
    _, found, _ = asyncio.run(answer(Guard(inside, Limits(hosts=OURS)), scope()))
    assert found == dict((*HEADERS, *DEFAULT_HEADERS, (b"content-type", b"text/plain")))


def test_s6_a_page_keeps_its_own_policy_and_a_file_its_age() -> None:
    own = ((b"Content-Security-Policy", b"default-src 'self'"), (b"Cache-Control", b"max-age=60"))
    _, found, _ = asyncio.run(answer(Guard(Inside(*own), Limits(hosts=OURS)), scope()))
    assert set(own) <= set(found.items())


def test_s6_hsts_is_said_when_the_public_address_is_https() -> None:
    assert HSTS in asked_once(scope(), https=True)[1].items()
    assert HSTS[0] not in asked_once(scope())[1]


def test_s14_who_waits_too_long_or_in_too_long_a_line_gets_503() -> None:
    async def crowd() -> list[int]:
        inside = Inside()
        inside.go.clear()
        limits = Limits(hosts=OURS, at_once=1, waiting=1, wait_seconds=0.05)
        guard = Guard(inside, limits)
        first = asyncio.create_task(answer(guard, scope()))
        await asyncio.sleep(0)
        second = asyncio.create_task(answer(guard, scope()))
        await asyncio.sleep(0)
        third = await answer(guard, scope())
        assert third[1][b"retry-after"] == b"2"
        statuses = [third[0], (await second)[0]]
        inside.go.set()
        statuses.append((await first)[0])
        statuses.append((await answer(guard, scope()))[0])
        return statuses

    assert asyncio.run(crowd()) == [503, 503, 200, 200]
