"""The pages of events: path, hops, panel, search by flow, what is stuck."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from collector.clock import now
from collector.domain.spans import Status
from collector.otlp import decode_json
from collector.store import usual_hops
from dashboard.queries.event_lists import EventRow
from dashboard.queries.event_nodes import nodes_of_events
from dashboard.queries.events import event, search
from dashboard.queries.filters import BadFilter, Subject, parse
from dashboard.queries.flows import flows
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.test_events import shop

pytestmark = pytest.mark.django_db
ORDER = "/events/demo/orders.created/0/5/"


@pytest.fixture
def operator() -> Client:
    return signed_in(person("olga", "operator"))


def page(client: Client, address: str, **query: str) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return answer.content.decode()


def drawn(html: str) -> dict[str, Any]:
    text = html.split('<script id="path-data" type="application/json">')[1].split("</script>")[0]
    return dict(json.loads(text))


def test_the_page_draws_every_hop_and_says_what_failed(operator: Client) -> None:
    shop()
    html = page(operator, ORDER)
    data = drawn(html)
    assert [hop["kind"] for hop in data["hops"]].count("produce") == 4
    assert [hop["id"] for hop in data["hops"] if hop["result"] == "failed"] == [1]
    assert data["hops"][1]["reason"] == "CardDeclined"
    assert "Failed" in html
    assert "link" in html
    assert 'data-select="1"' in html


def test_a_group_that_has_not_come_there_is_said_to_be_waited_for(operator: Client) -> None:
    world = shop()
    world.committed("payments.captured", "invoicing", [None, 7], at=80)
    data = drawn(page(operator, ORDER))
    waiting = [each for each in data["expected"] if each["kind"] == "group"]
    assert [(each["name"], each["late"]) for each in waiting] == [("invoicing", False)]
    assert data["hops"][waiting[0]["after"]]["topic"] == "payments.captured"


def test_a_selected_hop_opens_in_the_panel(operator: Client) -> None:
    shop()
    html = page(operator, ORDER, sel="hop:2")
    assert 'id="panel"' in html
    assert "Hop 2: " in html
    assert "2.0 s" in html
    part = operator.get(ORDER, {"sel": "hop:2"}, headers={"X-Weir-Part": "hop"}).content.decode()
    assert part.lstrip().startswith("<aside")
    for nonsense in ("hop:0", "hop:99999", "hop:x", "node:1"):
        assert 'tabindex="-1" hidden>' in page(operator, ORDER, sel=nonsense)


def test_a_viewer_sees_neither_bytes_nor_values_of_attributes() -> None:
    shop()
    html = page(signed_in(person("vera", "viewer")), ORDER, sel="hop:2", tab="payload")
    assert "Payloads need the operator role." in html
    assert "Retry…" not in html


def test_the_timeline_and_its_true_scale_are_views_of_the_same_address(operator: Client) -> None:
    shop()
    html = page(operator, ORDER, view="timeline")
    assert "<event-timeline" in html
    assert 'data-scale="false"' in html
    assert 'data-scale="true"' in page(operator, ORDER, view="timeline", scale="true")


def test_a_long_path_is_paged_and_its_picture_holds_the_nearest(operator: Client) -> None:
    world = PathWorld()
    for number in range(300):
        world.span(
            (1, 2 * number + 1), SEND, "chain", "walker", at=number, parent=2 * number or None, place=(0, number)
        )
        world.span(
            (1, 2 * number + 2), PROCESS, "chain", "walker", at=number + 0.5, parent=2 * number + 1, place=(0, number)
        )
    html = page(operator, "/events/demo/chain/0/150/")
    assert "1 to 200 of 600" in html
    assert len(drawn(html)["hops"]) == 600
    assert "201 to 400 of 600" in page(operator, "/events/demo/chain/0/150/", after="200")


def test_a_span_without_a_position_has_an_address_that_leads_on_once_it_is_known(operator: Client) -> None:
    world = PathWorld()
    world.span((7, 1), SEND, "lines", "shop")
    address = f"/events/span/{7:032x}/{1:016x}/"
    assert "position unknown" in page(operator, address)
    world.record("lines", (0, 3), by=(7, 1))
    assert operator.get(address).headers["Location"] == "/events/demo/lines/0/3/"
    assert operator.get(f"/events/span/{8:032x}/{1:016x}/").status_code == 404
    assert operator.get(f"/events/span/{7:032x}/nonsense/").status_code == 404


def test_an_id_of_a_cause_joins_records_that_no_trace_joins() -> None:
    world = PathWorld()
    world.record("orders.created", (0, 1), event_id="a-1")
    world.record("loyalty.points", (0, 2), at=1, event_id="b-1", cause_id="a-1")
    world.record("loyalty.mails", (0, 3), at=2, event_id="c-1", cause_id="b-1")
    for topic, offset in (("orders.created", 1), ("loyalty.points", 2), ("loyalty.mails", 3)):
        found = event("demo", topic, 0, offset)
        assert found is not None
        assert [hop.topic_name for hop in found.path.hops] == ["orders.created", "loyalty.points", "loyalty.mails"]
        assert [hop.known_by for hop in found.path.hops] == [(), ("causation id",), ("causation id",)]


def test_a_search_is_answered_by_flow(operator: Client) -> None:
    world = shop()
    world.record("orders.created", (1, 4), at=100, key="order-123")
    found = flows(search("order-123").rows)
    assert [(flow.n_events, flow.failed_in, flow.n_retries) for flow in found] == [(1, (), 0), (4, ("billing-svc",), 1)]
    html = page(operator, "/events/", q="order-123")
    assert "5 events in 2 flows" in html
    assert "Failed" in html
    assert "1 flow without" not in html
    assert "4 events in 1 flow" in page(operator, "/events/", q="order-123", failed="1")
    assert "Nothing called" in page(operator, "/events/", q="order-999")
    assert operator.get("/events/", {"q": "orders.created/0/5"}).headers["Location"] == ORDER
    assert operator.get("/search", {"q": "order-123"}).headers["Location"] == "/events/?q=order-123"


def test_a_beginning_with_more_matches_than_are_read_says_what_was_read(operator: Client) -> None:
    PathWorld().record("orders.created", (0, 1), at=1, key="order-0")
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into record_key select stored_at, name_id, 'order-' || n, topic_id, kafka_partition, n"
            " from record_key, generate_series(1000, 3100) n"
        )
    found = search("order-")
    assert (len(found.rows), found.truncated, found.n_read) == (200, True, 2000)
    assert "of the first 2,000 matches in the order of their keys; newer ones may lie behind." in page(
        operator, "/events/", q="order-"
    )
    all_read = search("order-10")
    assert (len(all_read.rows), all_read.truncated, all_read.n_read) == (100, False, None)


def test_flows_of_more_rows_than_are_grouped_stand_alone() -> None:
    row = EventRow("demo", "lines", "topic:demo/lines", 0, 1, None, None, None, None, failed=False)
    assert len(flows([row] * 201)) == 2


def test_what_usually_follows_and_did_not_is_stuck(operator: Client) -> None:
    world = PathWorld()
    moment = now()
    world.begin(moment)
    for number in range(1, 61):
        world.span((number, 1), PROCESS, "orders.created", "billing-svc", at=-100 + number / 10, place=(0, number))
        if number != 33:
            world.span((number, 2), SEND, "payments.captured", "billing-svc", at=-99.5 + number / 10, parent=1)
    assert usual_hops.learn(now=moment) == 1
    html = page(operator, "/events/", view="stuck")
    assert "orders.created/0/33" in html
    assert "billing-svc" in html
    data = drawn(page(operator, "/events/demo/orders.created/0/33/"))
    assert [(each["kind"], each["name"], each["late"]) for each in data["expected"]] == [
        ("topic", "payments.captured", True)
    ]
    world.span((33, 2), SEND, "payments.captured", "billing-svc", at=-20, parent=1)
    assert usual_hops.learn(now=moment) == 0
    assert "orders.created/0/33" not in page(operator, "/events/", view="stuck")


def test_nothing_stuck_says_so(operator: Client) -> None:
    assert "Nothing is stuck." in page(operator, "/events/", view="stuck")


def test_a_path_is_exported_as_otlp_that_weir_itself_reads(operator: Client) -> None:
    shop()
    answer = operator.get(f"{ORDER}otlp.json")
    assert answer.headers["Content-Disposition"].endswith('"orders.created-0-5.otlp.json"')
    decoded = decode_json(answer.content)
    assert decoded.n_rejected == 0
    assert len(decoded.spans) == 6
    failed = next(span for span in decoded.spans if span.status is Status.ERROR)
    assert (failed.resource.name, failed.raised[0].exception_class) == ("billing-svc", "CardDeclined")
    assert sum(len(span.links) for span in decoded.spans) == 3
    assert {span.resource.version for span in decoded.spans} == {"2.8.0"}
    assert ("export path", "demo/orders.created/0/5", "done") in audit_rows("action", "object", "result")


def test_a_kept_path_outlives_its_spans(operator: Client) -> None:
    shop()
    before = drawn(page(operator, ORDER))["hops"]
    assert "Keep this path" in page(operator, ORDER)
    assert operator.post(f"{ORDER}keep/").headers["Location"] == ORDER
    assert "keeps this path" in page(operator, ORDER)
    with connection.cursor() as cursor:
        for table in (
            "span",
            "span_link",
            "span_error",
            "record",
            "record_key",
            "retry_item",
            "dead_letter",
            "group_now",
        ):
            cursor.execute(f"delete from {table}")
    html = page(operator, ORDER)
    assert "past retention" in html
    assert [hop["id"] for hop in drawn(html)["hops"]] == [hop["id"] for hop in before]
    assert len(decode_json(operator.get(f"{ORDER}otlp.json").content).spans) == 6
    assert operator.post(f"{ORDER}keep/", {"let_go": "1"}).status_code == 302
    assert operator.get(ORDER).status_code == 404
    assert operator.get(f"{ORDER}otlp.json").status_code == 404
    deeds = [str(action) for action, result in audit_rows("action", "result") if result == "done"]
    assert [action for action in deeds if "path" in action] == ["keep path", "export path", "let path go"]


def test_no_more_paths_are_kept_while_what_never_goes_takes_most_of_the_disk_budget(operator: Client) -> None:
    shop()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into disk_check (checked_at, budget_bytes, used_bytes, kept_bytes, problem)"
            " values (now(), 100, 90, 81, 'Kept paths alone take 81 percent.')"
        )
    answer = operator.post(f"{ORDER}keep/")
    assert (answer.status_code, "Kept paths alone take 81 percent." in answer.content.decode()) == (400, True)
    for budget_bytes, kept_bytes in ((100, 80), (None, 81)):
        with connection.cursor() as cursor:
            cursor.execute("update disk_check set budget_bytes = %s, kept_bytes = %s", [budget_bytes, kept_bytes])
        assert operator.post(f"{ORDER}keep/").status_code == 302
        assert operator.post(f"{ORDER}keep/", {"let_go": "1"}).status_code == 302


def test_a_viewer_neither_keeps_nor_exports() -> None:
    shop()
    viewer = signed_in(person("vera", "viewer"))
    html = page(viewer, ORDER)
    assert "Keep this path" not in html
    assert "OTLP" not in html
    assert viewer.post(f"{ORDER}keep/").status_code == 403
    assert viewer.get(f"{ORDER}otlp.json").status_code == 403


def test_a_path_through_services_that_sample_says_that_hops_may_be_missing(operator: Client) -> None:
    shop()
    assert 'id="sampled"' not in page(operator, ORDER)
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into edge_1h (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, sample_weight)"
            " select date_bin('1 h', (select max(started_at) from span), '2000-01-01 00:00+00'), e.id,"
            " 1, 0, 1, 1, 65, 3"
            " from edge e join service s on s.id = e.service_id where s.name = 'billing-svc' limit 1"
        )
    html = page(operator, ORDER)
    assert "Spans are sampled by" in html
    assert "billing-svc" in html.split("Spans are sampled by")[1][:120]


def test_an_event_leads_to_its_path_on_the_graph(operator: Client) -> None:
    shop()
    assert 'href="/?find=event%3Aorders.created%2F0%2F5"' in page(operator, ORDER)
    found = nodes_of_events("event:orders.created/0/5 or -event:nothing/0/1 event:")
    assert found["nothing/0/1"] == frozenset()
    assert {"service:billing-svc", "topic:demo/payments.captured", "group:demo/shipping"} <= found["orders.created/0/5"]
    wanted = parse("event:Orders.created/0/5")
    billing = Subject("service", "billing-svc", "ok", events=frozenset({"orders.created/0/5"}))
    assert wanted.matches(billing)
    assert not wanted.matches(Subject("service", "mailer", "ok"))
    with pytest.raises(BadFilter, match="needs a position"):
        parse("event:nonsense")
    assert operator.get("/", {"find": "event:orders.created/0/5"}).status_code == 200


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [
        (99_999, "No event at orders.created/0/99999; the newest is 88,240."),
        (7, "Kafka has removed it: its oldest is 10."),
        (50, "no span and no tapped record"),
    ],
)
def test_an_event_that_was_not_seen_says_what_the_broker_holds(operator: Client, offset: int, sentence: str) -> None:
    world = shop()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into topic_now (topic_id, sampled_at, high, low) values (%s, now(), '{88241,5}', '{10,5}')",
            [world.topic("orders.created")],
        )
    answer = operator.get(f"/events/demo/orders.created/0/{offset}/")
    assert answer.status_code == 404
    assert sentence in answer.content.decode()
    for unknown, says in (
        ("orders.created/1/4", "the partition is empty"),
        ("orders.created/2147483647/4", "no broker has told what lies there"),
        ("nothing/0/4", "no broker has told what lies there"),
    ):
        answer = operator.get(f"/events/demo/{unknown}/")
        assert answer.status_code == 404
        assert says in answer.content.decode()
        assert ("Open the topic" in answer.content.decode()) is (says == "the partition is empty")
