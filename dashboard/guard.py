"""The outermost ASGI layer: whose host, which client, how many at once, and the headers of every answer."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from collector import telemetry
from dashboard import addresses

if TYPE_CHECKING:
    from asgiref.typing import (
        ASGI3Application,
        ASGIReceiveCallable,
        ASGISendCallable,
        ASGISendEvent,
        HTTPScope,
        Scope,
        WebSocketScope,
    )

AT_ONCE = 32
"""Requests that run at the same time: Django gives each a thread of its own."""
WAITING = 200
WAIT_SECONDS = 5.0

_Headers = Iterable[tuple[bytes, bytes]]
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"permissions-policy",
        b"accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), "
        b"geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), "
        b"picture-in-picture=(), screen-wake-lock=(), usb=(), xr-spatial-tracking=()",
    ),
)
"""On every answer, our own refusals included (docs/security.md S6)."""
DEFAULT_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""On answers that do not say it themselves: pages bring their policy, static files their age."""
HSTS = (b"strict-transport-security", b"max-age=31536000")
_FORWARDED = (b"forwarded", b"x-real-ip", b"daphne-root-path")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the guard lets through. `https`: the public address is https, so answers carry HSTS."""

    hosts: frozenset[str]
    trusted: Sequence[addresses.Network] = ()
    https: bool = False
    at_once: int = AT_ONCE
    waiting: int = WAITING
    wait_seconds: float = WAIT_SECONDS


_answers = telemetry.meter.create_counter(
    "weir.web.answers", unit="{answer}", description="Answers, by class of status"
)
_seconds = telemetry.meter.create_histogram(
    "weir.web.duration", unit="s", description="From the first byte to the last"
)


class Guard:
    """Refuses what must not reach Django; what it lets through has an honest client, scheme and root path."""

    def __init__(self, application: "ASGI3Application", limits: Limits) -> None:
        self._application = application
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.at_once)
        self._n_waiting = 0

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """One request or socket."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        honest = self._honest(scope)
        if refusal := self._refusal(honest):
            await refuse(honest, send, 400, refusal, https=self._limits.https)
        elif honest["type"] == "websocket":
            await self._application(honest, receive, send)
        else:
            await self._in_turn(honest, receive, self._with_headers(send))

    async def _in_turn(self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        if self._slots.locked() and self._n_waiting >= self._limits.waiting:
            await refuse(scope, send, 503, "Weir is busy. Try again.")
            return
        self._n_waiting += 1
        try:
            await asyncio.wait_for(self._slots.acquire(), self._limits.wait_seconds)
        except TimeoutError:
            await refuse(scope, send, 503, "Weir is busy. Try again.")
            return
        finally:
            self._n_waiting -= 1
        began = time.monotonic()
        try:
            with telemetry.span("web request"):
                await self._application(scope, receive, send)
        finally:
            self._slots.release()
            _seconds.record(time.monotonic() - began)

    def _refusal(self, scope: "HTTPScope | WebSocketScope") -> str | None:
        """Why the request is refused with 400, or None (docs/security.md S9, S11)."""
        hosts = _values(scope["headers"], b"host")
        if len(hosts) != 1:
            return "The request must name one host."
        if addresses.host_name(hosts[0]) not in self._limits.hosts:
            return "This host name is not Weir's. WEIR_PUBLIC_URL says which one is."
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            return "The address holds a NUL character."
        return None

    def _honest(self, scope: "HTTPScope | WebSocketScope") -> "HTTPScope | WebSocketScope":
        """The scope without what anybody may claim: client and scheme from a trusted proxy only (S13)."""
        headers = list(scope["headers"])
        peer = scope["client"][0] if scope["client"] else ""
        secure = scope["scheme"] in {"https", "wss"} if "scheme" in scope else False
        client = scope["client"]
        if client and addresses.is_trusted(peer, self._limits.trusted):
            client = (
                addresses.client_address(peer, _values(headers, b"x-forwarded-for"), self._limits.trusted),
                client[1],
            )
            protos = [
                part.strip().lower() for value in _values(headers, b"x-forwarded-proto") for part in value.split(",")
            ]
            secure = protos[-1] == "https" if protos else secure
        names = {"http": "https" if secure else "http", "websocket": "wss" if secure else "ws"}
        kept = [(name, value) for name, value in headers if not _is_claim(name)]
        return cast(
            "HTTPScope | WebSocketScope",
            {
                **scope,
                "headers": kept,
                "client": client,
                "scheme": names[scope["type"]],
                "root_path": "",
                "state": {**(scope.get("state") or {}), "proxied": len(kept) != len(headers)},
            },
        )

    def _with_headers(self, send: "ASGISendCallable") -> "ASGISendCallable":
        async def sent(event: "ASGISendEvent") -> None:
            if event["type"] == "http.response.start":
                _answers.add(1, {"status": f"{event['status'] // 100}xx"})
                event = {**event, "headers": protected(event["headers"], https=self._limits.https)}
            await send(event)

        return sent


def protected(headers: _Headers, *, https: bool) -> list[tuple[bytes, bytes]]:
    """`headers` with ours in place of what they say themselves, and without Server."""
    always = dict((*HEADERS, HSTS) if https else HEADERS)
    kept = [(name, value) for name, value in headers if name.lower() not in {b"server", *always}]
    present = {name.lower() for name, _ in kept}
    return [*kept, *always.items(), *((name, value) for name, value in DEFAULT_HEADERS if name not in present)]


async def refuse(
    scope: "HTTPScope | WebSocketScope", send: "ASGISendCallable", status: int, sentence: str, *, https: bool = False
) -> None:
    """Answer without asking Django; a socket is not opened (the server makes that 403)."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000, "reason": None})
        return
    body = f"{sentence}\n".encode()
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        plain.append((b"retry-after", b"2"))
    headers = protected(plain, https=https)
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _values(headers: _Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for found, value in headers if found == name]


def _is_claim(name: bytes) -> bool:
    return name in _FORWARDED or name.startswith(b"x-forwarded-")
