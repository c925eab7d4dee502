"""orders-svc: takes an order whenever a customer places one, and tells the others."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from demo import topics
from demo.orders import order
from demo.records import event
from demo.sending import Sender

RESERVED_AT_ONCE = 100
FAR_BEHIND_SECONDS = 1.0
WAIT_SECONDS = 0.1


class Numbers:
    """Order numbers that are never given twice, across restarts; a killed process leaves a gap of a hundred at most."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "order_numbers.json"
        self._next = int(json.loads(self._path.read_text())["next"]) if self._path.exists() else 1
        self._reserved = self._next

    def next(self) -> int:
        """The next number, from 1."""
        if self._next >= self._reserved:
            self._reserved = self._next + RESERVED_AT_ONCE
            self._store(self._reserved)
        self._next += 1
        return self._next - 1

    def close(self) -> None:
        """Give back the numbers that were reserved and not used."""
        self._store(self._next)

    def _store(self, following: int) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps({"next": following}))
        os.replace(draft, self._path)


def take_orders(
    wanted: Callable[[], bool],
    *,
    sender: Sender,
    state_dir: Path,
    seed: int,
    orders_per_second: float,
    ready: Callable[[], None],
) -> None:
    """Take orders at random moments, that many a second on average, until `wanted` says no."""
    tracer = trace.get_tracer("shop.checkout")
    numbers = Numbers(state_dir)
    gaps = random.Random(seed)
    ready()
    due = time.monotonic()
    while wanted():
        sender.serve()
        early = due - time.monotonic()
        if early > 0:
            time.sleep(min(early, WAIT_SECONDS))
            continue
        _take(numbers.next(), seed=seed, sender=sender, tracer=tracer)
        behind = -early
        due += gaps.expovariate(orders_per_second) + (behind if behind > FAR_BEHIND_SECONDS else 0)
    numbers.close()


def _take(number: int, *, seed: int, sender: Sender, tracer: trace.Tracer) -> None:
    placed = order(number, seed=seed)
    with tracer.start_as_current_span(
        "POST /orders",
        kind=SpanKind.SERVER,
        attributes={"http.request.method": "POST", "http.route": "/orders", "url.path": "/orders"},
    ) as span:
        sender.send(event(topics.ORDERS, placed.id, **placed.value))
        span.set_attribute("http.response.status_code", 202)
