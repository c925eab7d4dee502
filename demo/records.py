"""Records as the services handle them, whatever client read them."""

import json
from dataclasses import dataclass, field
from typing import Any

from demo.gateway import Refused
from demo.letters import Headers


class Unreadable(Refused):
    """The value is no JSON object with an order in it."""

    java_class = "shop.billing.UnreadableOrder"
    frames = (
        "shop.billing.OrderReader.parse(OrderReader.java:27)",
        "shop.billing.OrderListener.onOrder(OrderListener.java:31)",
    )


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int

    def body(self) -> dict[str, Any]:
        """The value as a JSON object that names an order. Raises Unreadable."""
        try:
            body = json.loads(self.value or b"")
        except ValueError as error:
            raise Unreadable(f"no JSON at {self.position.partition}/{self.position.offset}") from error
        if not isinstance(body, dict) or not isinstance(body.get("order_id"), str):
            raise Unreadable(f"no order at {self.position.partition}/{self.position.offset}")
        return body

    def header(self, name: str) -> bytes | None:
        """The value of the first header of this name, or None."""
        return next((value for present, value in self.headers if present == name), None)

    def has_header(self, name: str) -> bool:
        """Is a header of this name there?"""
        return any(name == present for present, _ in self.headers)


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter says of the failure, for the truth log."""

    group: str
    failure: Refused


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to send; `partition` None leaves the choice to the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None
    letter: Letter | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record: what is sent on, and the failure if there was one."""

    outgoing: tuple[Outgoing, ...] = field(default=())
    failure: Refused | None = None


def cloud_event(topic: str, order_id: str, event_id: str, *, cause: str | None = None, **value: object) -> Outgoing:
    """A business event as a CloudEvent in binary mode, which may name the id of its direct cause."""
    plain = event(topic, order_id, **value)
    headers = [*plain.headers, ("ce_specversion", b"1.0"), ("ce_id", event_id.encode()), ("ce_source", b"/shop")]
    headers += [("ce_type", topic.encode()), ("ce_correlationid", order_id.encode())]
    if cause is not None:
        headers.append(("ce_causationid", cause.encode()))
    return Outgoing(plain.topic, plain.key, plain.value, headers)


def event(topic: str, order_id: str, **value: object) -> Outgoing:
    """A business event of the shop: keyed by order, JSON, with the order's id as a header too."""
    return Outgoing(
        topic=topic,
        key=order_id.encode(),
        value=json.dumps({"order_id": order_id, **value}, separators=(",", ":")).encode(),
        headers=[("order-id", order_id.encode()), ("content-type", b"application/json")],
    )
