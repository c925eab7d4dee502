"""The headers of each kind of answer, through the guard and everything behind it (docs/security.md S5, S6)."""

import asyncio
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.db import connection

from dashboard.guard import HEADERS, Guard, Limits
from tests.integration.people import bearer, person, token_of

POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types weir",
}  # fmt: skip
EVERYWHERE = {name.decode() for name, _ in HEADERS} | {"content-security-policy", "cache-control", "content-type"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _connections_end_with_their_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the web process: Django gives each request a thread, and the thread goes away."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)


def answer(method: str, path: str, *, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """One request through the guard and Django, as a server would hand it in."""
    django: Any = get_asgi_application()
    guard = Guard(django, Limits(hosts=frozenset({"127.0.0.1"})))
    events: list[Any] = []
    body_sent = False

    async def receive() -> Any:
        nonlocal body_sent
        if body_sent:
            await asyncio.Event().wait()
        body_sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        events.append(event)

    path, _, query = path.partition("?")
    scope: Any = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "scheme": "http", "root_path": "", "client": ["127.0.0.1", 1],
        "server": ["127.0.0.1", 8000],
        "headers": [(b"host", b"127.0.0.1"), *((n.encode(), v.encode()) for n, v in (headers or {}).items())],
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    start = events[0]
    found = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    assert len(found) == len(start["headers"]), "a header twice"
    return start["status"], found, b"".join(event["body"] for event in events[1:]).decode()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login/", 200),
        ("GET", "/health/live", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 302),
        ("GET", "/login/?next=%00", 400),
        ("POST", "/login/", 403),
        ("GET", "/no/such/page", 404),
        ("GET", "/health/live/", 404),
        ("POST", "/api/v1/health", 405),
        ("GET", "/api/v1/health", 401),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/nothing", 404),
    ],
)
def test_every_kind_of_answer_carries_the_whole_set(method: str, path: str, status: int) -> None:
    found_status, found, _ = answer(method, path)
    assert found_status == status
    assert found.keys() >= EVERYWHERE
    assert "server" not in found
    assert found["cache-control"] == "no-store"
    for name, value in HEADERS:
        assert found[name.decode()] == value.decode()


def test_s5_the_policy_is_exactly_this_and_a_page_gets_one_nonce_for_its_import_map() -> None:
    _, found, body = answer("GET", "/login/")
    parts = {part.strip() for part in found["content-security-policy"].split(";")}
    nonces = [word for part in parts for word in part.split() if word.startswith("'nonce-")]
    assert {part.replace(f" {nonces[0]}", "") if nonces else part for part in parts} == POLICY
    assert all(f'nonce="{nonce[7:-1]}"' in body for nonce in nonces)
    assert answer("GET", "/login/")[1]["content-security-policy"] != found["content-security-policy"] or not nonces


def test_s5_an_error_has_the_same_policy() -> None:
    _, found, _ = answer("GET", "/no/such/page")
    parts = {part.strip() for part in found["content-security-policy"].split(";")}
    assert {" ".join(word for word in part.split() if not word.startswith("'nonce-")) for part in parts} == POLICY


def test_s70_metrics_are_not_for_whoever_comes_by_a_proxy() -> None:
    assert answer("GET", "/metrics", headers={"x-forwarded-for": "127.0.0.1"})[0] == 401


def test_no_answer_allows_another_origin() -> None:
    headers = {"origin": "https://evil.example", **bearer(token_of(person("ada"), "read"))}
    _, found, _ = answer("GET", "/api/v1/health", headers=headers)
    assert not [name for name in found if name.startswith("access-control")]


def test_s38_an_unknown_page_does_not_echo_its_address() -> None:
    assert "canary" not in answer("GET", "/canary/<canary>")[2]
