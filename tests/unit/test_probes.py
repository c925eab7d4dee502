"""The small HTTP server of processes that serve nothing else."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from collector import telemetry
from collector.management.probes import Probes, serving
from stack.ports import free_port

LOCAL = {"Host": "127.0.0.1"}


@contextmanager
def probes(*, live: bool = True, ready: bool = True) -> Iterator[int]:
    port = free_port()
    with serving(Probes("127.0.0.1", port, "", lambda: live, lambda: ready)):
        yield port


def ask(port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    ("live", "ready", "expected"), [(True, True, (200, 200)), (True, False, (200, 503)), (False, True, (503, 503))]
)
def test_s70_live_and_ready_are_told_by_the_status(*, live: bool, ready: bool, expected: tuple[int, int]) -> None:
    with probes(live=live, ready=ready) as port:
        assert (ask(port, "/health/live")[0], ask(port, "/health/ready")[0]) == expected


def test_metrics_are_in_prometheus_form_and_nothing_else_is_there() -> None:
    with probes() as port:
        status, body = ask(port, "/metrics")
        assert (status, "process_cpu_seconds_total" in body) == (200, True)
        assert ask(port, "/metrics", "HEAD") == (200, "")
        assert ask(port, "/")[0] == 404
        assert ask(port, "/metrics", "POST")[0] == 501


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({**LOCAL, "Origin": "http://127.0.0.1"}, 403),
        ({**LOCAL, "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "localhost:80"}, 200),
    ],
)
def test_s11_pages_in_a_browser_get_nothing(headers: dict[str, str], status: int) -> None:
    with probes() as port:
        for path in ("/metrics", "/health/live"):
            assert ask(port, path, headers=headers)[0] == status


def test_s70_beyond_loopback_only_the_token_opens() -> None:
    assert telemetry.may_read("127.0.0.1", "", "")
    assert telemetry.may_read("::1", "", "token")
    assert telemetry.may_read("10.0.0.7", "Bearer token", "token")
    for client, given, token in (
        ("10.0.0.7", "Bearer ", ""),
        ("10.0.0.7", "Bearer x", "token"),
        ("", "", ""),
        ("x", "", ""),
    ):
        assert not telemetry.may_read(client, given, token)


def test_a_port_that_is_taken_stops_nothing_and_port_zero_is_none() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        for port in (taken.getsockname()[1], 0):
            with serving(Probes("127.0.0.1", port, "", lambda: True, lambda: True)):
                pass


def test_many_that_say_nothing_do_not_keep_others_out_for_long() -> None:
    with probes() as port, ExitStack() as idle:
        for _ in range(10):
            idle.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert ask(port, "/health/live")[0] == 200
