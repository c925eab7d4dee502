"""The overview page: narrowed by find, hide and focus, the same with and without its script."""

import re

import pytest
from django.db import connection
from django.test import Client

from collector import clock
from collector.domain import histograms
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


def test_what_changed_in_a_day_is_found_on_the_graph_and_in_the_lists(client: Client) -> None:
    with connection.cursor() as cursor:
        for kind, column, table, name, ago in (
            (1, "service_id", "service", "billing-svc", 20),
            (4, "topic_id", "topic", "payments.captured", 3),
            (4, "topic_id", "topic", "orders.created", 30),
            (6, "topic_id", "topic", "orders.created", 1),
        ):
            cursor.execute(
                f"insert into change_mark (at, kind, {column}) select now() - make_interval(hours => %s), %s, id"
                f" from {table} where name = %s",
                [ago, kind, name],
            )
    assert drawn(client, "?find=changed:yes")[0] == ["service:billing-svc", "topic:demo/payments.captured"]
    assert drawn(client, "?hide=-changed:yes")[1] == [
        "service:mailer",
        "service:orders-svc",
        "topic:demo/orders.created",
    ]
    for page, changed, other in (
        ("services", "billing-svc", "orders-svc"),
        ("topics", "payments.captured", "orders.created"),
    ):
        text = client.get(f"/{page}/?q=changed:yes").content.decode().partition("<tbody")[2]
        assert changed in text
        assert other not in text
    assert client.get("/groups/?q=changed:yes").status_code == 200


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


def panel(client: Client, query: str) -> str:
    """The side panel, as the page's script fetches it."""
    return client.get(f"/{query}", headers={"X-Weir-Part": "panel"}).content.decode()


def test_a_node_stands_beside_the_graph_with_its_chart_its_events_and_what_changed(client: Client) -> None:
    page = panel(client, "?sel=service:billing-svc")
    for text in ("Reads and writes", "Newest events", "Changes", "Open service"):
        assert text in page
    assert "Written and read" in panel(client, "?sel=topic:demo/orders.created")


def test_sends_are_called_attempted_and_reads_are_events(client: Client) -> None:
    """An aborted transaction's sends have spans like any other (facts of real libraries)."""
    sends = panel(client, "?sel=edge:service:orders-svc%3Etopic:demo/orders.created")
    assert "<dt>Attempted</dt>" in sends
    assert "aborted transaction" in sends
    reads = panel(client, "?sel=edge:topic:demo/orders.created%3Eservice:billing-svc")
    assert "<dt>Events</dt>" in reads
    assert "aborted" not in reads


def test_a_group_of_nodes_says_what_it_holds(client: Client) -> None:
    page = panel(client, "?sel=domain:orders")
    assert "domain of" in page
    assert "Open group" in page
    assert "open=domain%3Aorders" in page


def test_the_way_between_two_nodes_is_shown_in_either_order(client: Client) -> None:
    for query in ("?sel=service:orders-svc&sel=service:mailer", "?sel=service:mailer&sel=service:orders-svc"):
        page = panel(client, query)
        assert "End to end" in page
        assert "2 readings on the way tell no times" in page
    assert "No way leads" in panel(client, "?sel=service:orders-svc&sel=service:nobody")


def test_a_way_adds_waits_and_processing_of_its_hops(client: Client) -> None:
    body = histograms.encoded(histograms.counted([100.0] * 40))
    with connection.cursor() as cursor:
        cursor.execute("select id from edge where kind = 2")
        for (edge,) in cursor.fetchall():
            cursor.execute(
                "insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, n_wait, wait,"
                " processing) values (date_trunc('minute', %s), %s, 40, 0, 1, 40, 1, 40, %s, %s)",
                [clock.now(), edge, body, body],
            )
    found = re.findall(r"≈([\d.]+ ms)", panel(client, "?sel=service:orders-svc&sel=service:mailer"))
    waits, processing, whole = found[0:2], found[2:4], found[4:6]
    assert waits == processing
    assert [float(text.split()[0]) for text in whole] == pytest.approx([400, 400], rel=0.1)
    assert [float(text.split()[0]) for text in waits] == pytest.approx([200, 200], rel=0.1)
    with connection.cursor() as cursor:
        cursor.execute("update edge_1m set processing = null where edge_id = (select min(edge_id) from edge_1m)")
    lacking = panel(client, "?sel=service:orders-svc&sel=service:mailer")
    assert len(re.findall(r"≈[\d.]+ ms", lacking)) == 2  # the waits
    assert len(re.findall(r"≥[\d.]+ ms", lacking)) == 4
    assert "≥ is at least" in lacking


def test_who_arranges_pins_a_node_which_then_outlives_tidying_up(client: Client) -> None:
    placements.keep(now=clock.now())
    node = "topic:demo/orders.created"

    def place() -> tuple[float, str | None]:
        with connection.cursor() as cursor:
            cursor.execute("select y, pinned_by from layout_node where node = %s", [node])
            y, who = cursor.fetchone()
            return y, who

    before = place()[0]
    assert "Pin here" in panel(client, f"?sel={node}")
    assert client.post("/layout/pins/", {"wanted": "sideways", "node": node}).status_code == 400
    assert client.post("/layout/pins/", {"wanted": "pin", "node": node}).status_code == 302
    assert client.post("/layout/pins/", {"wanted": "down", "node": node}).status_code == 302
    assert place() == (before + 72, "olga")
    placements.ask("tidy")
    placements.keep(now=clock.now())
    assert place() == (before + 72, "olga")
    assert "pinned by <bdi>olga</bdi>" in panel(client, f"?sel={node}")
    client.post("/layout/pins/", {"wanted": "unpin", "node": node})
    placements.ask("tidy")
    placements.keep(now=clock.now())
    assert place() == (before, None)
    deeds = ("pin a node", "move a pinned node down", "unpin a node")
    assert audit_rows("action", "object", actions=deeds) == [(deed, node) for deed in deeds]


def test_the_table_says_how_many_edges_it_leaves_out(client: Client) -> None:
    page = client.get("/?rows=2").content.decode()
    assert "2 of 4 edges." in page
    assert page.count("<tr data-edge=") == 2
    assert "Show 100 more" in page
    assert "of 4 edges" not in client.get("/").content.decode()


def test_the_table_says_how_many_nodes_without_an_edge_it_leaves_out(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select id from cluster")
        (cluster,) = cursor.fetchone()
        for number in range(3):
            cursor.execute(
                "insert into topic (cluster_id, name, role, n_partitions, first_at) values (%s, %s, 0, 1, %s)",
                [cluster, f"alone.{number}", clock.now()],
            )
    page = client.get("/?rows=5&show=idle").content.decode()
    assert "4 of 4 edges, 1 of 3 nodes without one." in page
    assert page.count("<tr data-node=") == 1
