"""The overview page: narrowed by find, hide and focus, the same with and without its script."""

import pytest
from django.test import Client

from collector import clock
from dashboard import placements
from tests.integration.graph_world import World
from tests.integration.people import audit_rows, person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Signed in as an operator, with a small shop to look at."""
    at = clock.now()
    world = World(at)
    created, payments = world.topic("orders.created"), world.topic("payments.captured")
    world.scanned(ago=0)
    orders, billing, mailer = (world.service(name) for name in ("orders-svc", "billing-svc", "mailer"))
    for kind, service, topic in (
        (1, orders, created),
        (2, billing, created),
        (1, billing, payments),
        (2, mailer, payments),
    ):
        world.counted(world.edge(kind, service, topic), 10, ago=20)
    return signed_in(person("olga", "operator"))


def drawn(client: Client, query: str) -> tuple[list[str], list[str], str]:
    """Names found, names left out, and the page."""
    data = client.get(f"/{query}", headers={"X-Weir-Part": "graph"}).json()
    return data["found"], data["left_out"], client.get(f"/{query}").content.decode()


def test_find_outlines_and_hide_takes_out(client: Client) -> None:
    found, left_out, page = drawn(client, "?find=svc&hide=topic:payments.*")
    assert found == ["service:billing-svc", "service:orders-svc"]
    assert left_out == ["topic:demo/payments.captured"]
    assert "2 found" in page
    table = page.split('id="table"')[1].split("</section>")[0]
    assert "orders.created" in table
    assert "payments.captured" not in table


def test_a_focus_keeps_its_surroundings_and_says_so(client: Client) -> None:
    _, left_out, page = drawn(client, "?focus=service:orders-svc&hops=2&flow=down")
    assert left_out == ["service:mailer", "topic:demo/payments.captured"]
    assert "around orders-svc, 2 hops" in page
    assert "<title>around orders-svc, 2 hops · Overview · Weir</title>" in page


def test_a_wrong_term_stays_in_its_box_and_hides_nothing(client: Client) -> None:
    _, left_out, page = drawn(client, "?hide=lag>30")
    assert left_out == []
    assert 'value="lag&gt;30"' in page
    assert "Hide: “lag&gt;30” needs a unit: try lag&gt;30s or lag&gt;30msg." in page


def test_tidying_up_is_asked_for_once_and_written_down(client: Client) -> None:
    assert placements.keep(now=clock.now()) == 5
    assert client.post("/layout/", {"wanted": "shuffle"}).status_code == 400
    assert client.post("/layout/", {"wanted": "tidy"}).status_code == 302
    assert audit_rows("action", "object", "result", actions=["tidy up the graph"]) == [
        ("tidy up the graph", "layout", "done")
    ]
    assert placements.keep(now=clock.now()) == 5
    assert placements.keep(now=clock.now()) == 0
    assert ">Undo</button>" in client.get("/").content.decode()
