"""Paths across two clusters: equal names, partitions and offsets are other events, and a mirror ties them."""

import json
import re
from typing import Any

import pytest
from django.db import connection

from dashboard.queries.events import event, search
from tests.integration.path_world import AT, PROCESS, SEND, PathWorld
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db
ADDRESS = ("orders", 0, 5)


def mirrored() -> None:
    """An order of the east that a mirror writes to the west, at the same address; billing reads it in the east, audit
    in the west. A group passes there that left no span.
    """
    east = PathWorld("east")
    west = east.beside("west")
    east.span((1, 1), SEND, "orders", "orders-svc", place=ADDRESS[1:])
    east.record("orders", ADDRESS[1:], by=(1, 1), key="order-1")
    east.span((1, 2), PROCESS, "orders", "billing-svc", at=1, parent=1, place=ADDRESS[1:], group="billing")
    east.span((1, 3), PROCESS, "orders", "mirror", at=2, parent=1, place=ADDRESS[1:], group="mirror")
    west.span((1, 4), SEND, "orders", "mirror", at=2.2, parent=3, place=ADDRESS[1:])
    west.record("orders", ADDRESS[1:], by=(1, 4), at=2.2, key="order-1")
    west.span((1, 5), PROCESS, "orders", "audit-svc", at=4, parent=4, place=ADDRESS[1:], group="billing")
    for at, offset in ((-5, 3), (9, 6)):
        west.committed("orders", "archive", [offset, None], at=at)


WHOLE = [
    ("produce", "orders-svc", "east", None, None),
    ("consume", "billing-svc", "east", "group:east/billing", 0),
    ("consume", "mirror", "east", "group:east/mirror", 0),
    ("produce", "mirror", "west", None, 2),
    ("consume", "audit-svc", "west", "group:west/billing", 3),
    ("consume", None, "west", "group:west/archive", 3),
]


def told(cluster: str) -> list[tuple[object, ...]]:
    page = event(cluster, *ADDRESS)
    assert page is not None
    return [(hop.kind, hop.service_name, hop.cluster, hop.group, hop.cause) for hop in page.path.hops]


def test_a_mirrored_event_goes_on_in_the_other_cluster_and_its_copy_goes_back_to_it() -> None:
    mirrored()
    assert told("east") == WHOLE
    assert [step[:4] for step in told("west")] == [step[:4] for step in WHOLE if step[1] != "billing-svc"]


def test_without_a_mirror_the_same_address_on_two_clusters_is_two_events() -> None:
    east = PathWorld("east")
    west = east.beside("west")
    for trace, world in ((1, east), (2, west)):
        world.span((trace, 1), SEND, "orders", f"{world.cluster}-svc", place=ADDRESS[1:])
        world.record("orders", ADDRESS[1:], by=(trace, 1), key="order-1")
        world.span((trace, 2), PROCESS, "orders", "billing-svc", at=1, place=ADDRESS[1:], group="billing")
    for name in ("east", "west"):
        assert [step[2:4] for step in told(name)] == [(name, None), (name, f"group:{name}/billing")]
    assert {(row.cluster, row.address) for row in search("orders/0/5").rows} == {
        ("east", "orders/0/5"),
        ("west", "orders/0/5"),
    }


def test_the_page_of_such_a_path_says_which_cluster_at_each_hop() -> None:
    mirrored()
    page = signed_in(person("ada")).get("/events/east/orders/0/5/").content.decode()
    drawn: list[dict[str, Any]] = json.loads(
        re.findall(r'<script id="[^"]+" type="application/json">(\{"hops".*?)</script>', page, re.S)[0]
    )["hops"]
    assert {hop["topic"] for hop in drawn} == {"east/orders", "west/orders"}
    hops = page[page.index('id="hops"') :]
    assert hops.count('<span class="muted nowrap"><bdi>west</bdi></span>') == 3
    assert hops.count('<span class="muted nowrap"><bdi>east</bdi></span>') == 3
    assert "/events/west/orders/0/5/" in hops


def test_a_dead_letter_of_one_cluster_is_none_of_the_others() -> None:
    east = PathWorld("east")
    west = east.beside("west")
    for trace, world in ((1, east), (2, west)):
        world.span((trace, 1), SEND, "orders", "orders-svc", place=ADDRESS[1:])
        world.record("orders", ADDRESS[1:], by=(trace, 1))
    west.letter("orders.dlq", (0, 0), ADDRESS, "billing")
    with connection.cursor() as cursor:
        cursor.execute("update dead_letter set seen_at = %s", [AT])
    assert [step[2] for step in told("east")] == ["east"]
    assert [(hop.cluster, hop.topic_name) for hop in _path("west").hops if hop.topic_name == "orders.dlq"] == [
        ("west", "orders.dlq")
    ]


def _path(cluster: str) -> Any:
    page = event(cluster, *ADDRESS)
    assert page is not None
    return page.path
