"""The service graph as the read side draws it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from dashboard.queries.graph import graph
from dashboard.queries.graph_rows import lacking
from dashboard.queries.topic import topic
from dashboard.queries.topics import topics
from dashboard.queries.window import Window, parse
from dashboard.templatetags import formats
from tests.integration.graph_world import World
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAST_15_MIN = parse("now-15m", "now", now=AT)


def shop() -> World:
    """orders-svc writes orders.created; billing-svc reads it as `billing`, `audit` without any trace."""
    world = World(AT)
    orders, billing = world.service("orders-svc"), world.service("billing-svc")
    created, group, audit = world.topic("orders.created"), world.group("billing"), world.group("audit")
    sends, reads = world.edge(1, orders, created), world.edge(2, billing, created)
    world.hint(billing, created, group)
    for ago in (700, 100, 60, 0):
        world.scanned(ago=ago)
    for ago, high in ((1000, [10, 0]), (100, [100, 20]), (60, [130, 30]), (0, [180, 60])):
        world.watermarks(created, [*high], ago=ago)
        world.committed(created, group, [*high], ago=ago)
        world.committed(created, audit, [high[0] - 5, None], ago=ago)
    world.counted(sends, 120, ago=300)
    world.counted(sends, 60, ago=40)
    world.counted(reads, 118, ago=290)
    world.counted(reads, 59, ago=35, errors=3)
    return world


def test_edges_count_what_happened_and_say_how_they_are_known(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop()
    with django_assert_num_queries(10):
        drawn = graph(LAST_15_MIN, now=AT)
    edges = {(edge.source, edge.target): edge for edge in drawn.edges}
    sent = edges["service:orders-svc", "topic:demo/orders.created"]
    assert (sent.messages, sent.messages_from, sent.evidence) == (180, "spans", ("traced",))
    read = edges["topic:demo/orders.created", "service:billing-svc"]
    assert (read.messages, read.errors, read.group) == (177, 3, "group:demo/billing")
    assert read.evidence == ("traced", "offsets", "membership")
    assert read.health == "degraded"
    audit = edges["topic:demo/orders.created", "group:demo/audit"]
    assert (audit.messages, audit.messages_from, audit.evidence) == (170, "offsets", ("offsets",))


def test_a_sum_of_rates_says_when_it_lacks_one() -> None:
    shop()
    drawn = graph(LAST_15_MIN, now=AT)
    assert all(node.lacks == () for node in drawn.nodes)
    known = next(edge for edge in drawn.edges if edge.rate is not None)
    unknown = replace(known, rate=None)
    assert lacking({"in": [known, unknown], "out": [known, known]}) == ("in",)
    assert lacking({"in": [unknown, unknown], "out": []}) == ()
    created = next(node for node in drawn.nodes if node.kind == "topic")
    shown = {"node": replace(created, lacks=("out",)), "graph": drawn, "request": RequestFactory().get("/")}
    assert f"<dt>Out</dt><dd>≥ {formats.rate(created.rate_out)}</dd>" in render_to_string("overview/node.html", shown)


def test_sampled_spans_know_their_share_and_are_never_the_rate() -> None:
    world = World(AT)
    orders, billing, books = (world.service(name) for name in ("orders-svc", "billing-svc", "books-svc"))
    created, group = world.topic("orders.created"), world.group("billing")
    for ago in (700, 100, 60, 0):
        world.scanned(ago=ago)
        world.committed(created, group, [900 - int(ago)], ago=ago)
        world.watermarks(created, [900 - int(ago)], ago=ago)
    sends = world.edge(1, orders, created)
    reads, alone = world.edge(2, billing, created, group), world.edge(2, books, created)
    for edge in (sends, reads, alone):
        world.counted(edge, 30, ago=300, evidence=65, more=90.0)
        world.counted(edge, 15, ago=40, evidence=65, more=45.0)
    edges = {edge.source if edge.kind == "produce" else edge.target: edge for edge in graph(LAST_15_MIN, now=AT).edges}
    sent = edges["service:orders-svc"]
    assert (sent.messages, sent.sampled_share, sent.estimate) == (45, 0.25, 180)
    assert (sent.rate, sent.estimated, sent.evidence) == (60 / 60, True, ("traced", "sampled"))
    read = edges["service:billing-svc"]
    assert (read.messages, read.sampled_share, read.estimated) == (45, 0.25, False)
    assert read.rate == 1.0, "what the group committed"
    assert edges["service:books-svc"].estimated
    drawn = graph(LAST_15_MIN, now=AT)
    assert drawn.sampled_share == 0.25
    assert [node.id for node in drawn.nodes if node.estimated] == [
        "service:books-svc",
        "service:orders-svc",
        "topic:demo/orders.created",
    ]


def test_the_pages_say_that_spans_are_sampled_and_what_is_estimated() -> None:
    at = now()
    world = World(at)
    orders, created = world.service("orders-svc"), world.topic("orders.created")
    world.scanned(ago=60)
    world.scanned(ago=0)
    edge = world.edge(1, orders, created)
    client = signed_in(person("vera", "viewer"))
    pages = ("/?view=table", "/services/orders-svc/", "/topics/demo/orders.created/")
    world.counted(edge, 60, ago=40)
    assert not [page for page in pages if 'id="sampled"' in client.get(page).content.decode()]
    world.counted(edge, 60, ago=30, evidence=65, more=360.0)
    for page in pages:
        html = client.get(page).content.decode()
        assert "only 25 % are kept" in html, page
        assert "120 of ≈480" in html, page
        assert "≈ 8.0/s" in html, (page, [part[:30] for part in html.split("≈")])
    assert "<dt>Out</dt><dd>≈ 8.0/s</dd>" in client.get("/services/orders-svc/").content.decode()
    assert '<td class="number">≈ 8.0/s</td>' in client.get("/services/").content.decode()


def test_a_group_that_a_service_explains_is_no_node_of_its_own() -> None:
    shop()
    assert [node.id for node in graph(LAST_15_MIN, now=AT).nodes] == [
        "group:demo/audit",
        "service:billing-svc",
        "service:orders-svc",
        "topic:demo/orders.created",
    ]


def test_a_topics_rate_is_the_brokers_over_the_last_minute() -> None:
    shop()
    drawn = graph(LAST_15_MIN, now=AT)
    node = next(node for node in drawn.nodes if node.kind == "topic")
    assert node.rate_in == pytest.approx((180 - 130 + 60 - 30) / 60)


def test_a_topic_that_moved_in_the_window_is_drawn_though_its_last_minute_was_quiet() -> None:
    world = World(AT)
    notices = world.topic("partner.notices")
    for ago, high in ((1_000, 0), (600, 50), (120, 50), (60, 50), (0, 50)):
        world.scanned(ago=ago)
        world.watermarks(notices, [high, 0], ago=ago)
    (node,) = graph(LAST_15_MIN, now=AT).nodes
    assert (node.name, node.rate_in, node.health) == ("partner.notices", 0, "ok")
    later = Window(AT - timedelta(minutes=1), AT, live=True)
    assert graph(later, now=AT).nodes == ()
    assert [node.sentence for node in graph(later, now=AT, idle=True).nodes] == ["nothing in or out in this window"]


def test_rates_from_spans_leave_out_the_bucket_that_is_still_filling() -> None:
    world = shop()
    edge = world.edge(1, world.service("late-svc"), world.topic("late"))
    world.counted(edge, 30, ago=3)
    drawn = graph(LAST_15_MIN, now=AT)
    late = next(edge for edge in drawn.edges if edge.source == "service:late-svc")
    assert (late.messages, late.rate) == (30, 0)


def test_records_that_a_group_found_on_an_old_topic_are_not_counted_as_read() -> None:
    world = shop()
    created, tail = world.topic("old"), world.group("tail")
    world.watermarks(created, [1_000_000, 0], ago=1000)
    world.committed(created, tail, [1_000_000, None], ago=200)
    world.committed(created, tail, [1_000_040, None], ago=0)
    edge = next(edge for edge in graph(LAST_15_MIN, now=AT).edges if edge.target == "group:demo/tail")
    assert edge.messages == 40


def test_a_group_that_comes_to_an_empty_topic_is_counted_from_its_first_record() -> None:
    world = World(AT)
    fresh, reader = world.topic("fresh"), world.group("reader")
    world.scanned(ago=600)
    world.scanned(ago=0)
    world.watermarks(fresh, [7, 0], ago=600, low=[7, 0])
    world.watermarks(fresh, [30, 12], ago=0, low=[7, 0])
    world.committed(fresh, reader, [None, None], ago=590)
    world.committed(fresh, reader, [20, None], ago=300)
    world.committed(fresh, reader, [30, 12], ago=0)
    edge = next(edge for edge in graph(LAST_15_MIN, now=AT).edges if edge.target == "group:demo/reader")
    assert edge.messages == 23 + 12


def test_the_past_is_drawn_from_the_past() -> None:
    shop()
    past = Window(datetime(2026, 11, 23, 13, 50, tzinfo=UTC), datetime(2026, 11, 23, 13, 58, tzinfo=UTC), live=False)
    sent = next(edge for edge in graph(past, now=AT).edges if edge.kind == "produce")
    assert sent.messages == 120


def test_the_list_and_the_page_of_topics_say_the_same(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop()
    with django_assert_num_queries(11):
        row = topics(LAST_15_MIN, now=AT).items[0]
    page = topic("demo", "orders.created", LAST_15_MIN, now=AT)
    assert page is not None
    assert (row.rate_in, row.messages, row.n_groups) == (page.node.rate_in, page.messages, len(page.groups))
    assert {group.name for group in page.groups} == {"billing", "audit"}
    assert topic("demo", "nothing", LAST_15_MIN, now=AT) is None


def test_counts_of_days_ago_come_from_the_steps_that_are_still_kept() -> None:
    world = World(AT)
    sends = world.edge(1, world.service("orders-svc"), world.topic("orders.created"))
    world.counted(sends, 60, ago=3 * 86_400 + 400, table="edge_1m")
    world.counted(sends, 240, ago=20 * 86_400 + 400, table="edge_1h")
    world.counted(sends, 9, ago=3 * 86_400 + 70, table="edge_1m")
    world.scanned(ago=3 * 86_400 + 20)
    days = (AT - timedelta(days=3, minutes=30), AT - timedelta(days=3, minutes=1))
    weeks = (AT - timedelta(days=20, hours=3), AT - timedelta(days=20))
    ten_days = (AT - timedelta(days=10), AT - timedelta(days=3))
    for (from_at, to_at), messages, rate in ((days, 69, 9 / 60), (weeks, 240, None), (ten_days, 69, 0)):
        edges = graph(Window(from_at, to_at, live=False), now=AT).edges
        assert [(edge.messages, edge.rate) for edge in edges] == [(messages, rate)], (from_at, to_at)


def test_at_a_moment_when_nobody_looked_a_rate_is_unknown_and_not_0() -> None:
    world = World(AT)
    sends = world.edge(1, world.service("orders-svc"), world.topic("orders.created"))
    world.counted(sends, 60, ago=900)
    then = Window(AT - timedelta(minutes=20), AT - timedelta(minutes=5), live=False)
    assert [(edge.messages, edge.rate) for edge in graph(then, now=AT).edges] == [(60, None)]
    world.scanned(ago=320)
    assert [(edge.messages, edge.rate) for edge in graph(then, now=AT).edges] == [(60, 0)]


def test_a_topic_that_is_gone_by_now_is_still_drawn_in_the_time_it_lived() -> None:
    world = World(AT)
    old, orders = world.topic("orders.v1"), world.service("orders-svc")
    world.counted(world.edge(1, orders, old), 60, ago=900)
    with connection.cursor() as cursor:
        cursor.execute("update topic set deleted_at = %s", [AT - timedelta(minutes=4)])
    world.topic("orders.v2")
    then = Window(AT - timedelta(minutes=20), AT - timedelta(minutes=5), live=False)
    assert [node.name for node in graph(then, now=AT).nodes] == ["orders-svc", "orders.v1"]
    assert [node.name for node in graph(parse("now-3m", "now", now=AT), now=AT).nodes] == []
    again = world.topic("orders.v1")
    world.counted(world.edge(1, orders, again), 6, ago=600)
    assert sum(node.name == "orders.v1" for node in graph(then, now=AT, idle=True).nodes) == 1


def test_of_a_window_without_a_scan_the_broker_tells_nothing() -> None:
    world = shop()
    world.scanned(ago=4_000)
    world.scanned(ago=3_940)
    with connection.cursor() as cursor:
        cursor.execute("delete from scan where sampled_at > %s and sampled_at < %s", [AT - HOUR, AT])
        cursor.execute("delete from scan where sampled_at = %s", [AT])
    gap = Window(AT - timedelta(minutes=20), AT - timedelta(minutes=10), live=False)
    node = next(node for node in graph(gap, now=AT, idle=True).nodes if node.kind == "topic")
    assert node.rate_in is None
    row = topics(gap, now=AT).items[0]
    assert (row.rate_in, row.messages, row.slowest_rate) == (None, None, None)
    live = topics(parse("now-15m", "now", now=AT), now=AT).items[0]
    assert live.messages is None, "nothing was counted in the window; that is not nothing written"


def test_a_rate_over_a_long_silence_of_the_sampler_is_none_of_the_last_minute() -> None:
    world = World(AT)
    created = world.topic("orders.created")
    for ago, high in ((3_600, 0), (0, 3_600)):
        world.scanned(ago=ago)
        world.watermarks(created, [high, 0], ago=ago)
    row = topics(parse("now-2h", "now", now=AT), now=AT).items[0]
    assert (row.rate_in, row.messages) == (None, 3_600)


def test_in_the_past_a_lag_is_that_of_then_and_no_state_is_judged() -> None:
    shop()
    then = Window(AT - timedelta(minutes=10), AT - timedelta(seconds=90), live=False)
    page = topic("demo", "orders.created", then, now=AT)
    assert page is not None
    audit = next(group for group in page.groups if group.name == "audit")
    assert audit.behind is not None
    assert (audit.behind.lag, audit.behind.lag_seconds) == (5, None)
    assert (audit.health.level, audit.health.sentence) == ("unknown", "whether it kept up is only judged live")


def test_a_groups_pace_is_that_of_its_commits_and_its_state_the_worst_of_its_services() -> None:
    world = shop()
    with connection.cursor() as cursor:
        cursor.execute("select id from topic where name = 'orders.created'")
        created = cursor.fetchone()[0]
        cursor.execute("select id from consumer_group where name = 'billing'")
        group = cursor.fetchone()[0]
    other = world.edge(2, world.service("billing-too"), created, group)
    world.counted(other, 50, ago=40, errors=25)
    page = topic("demo", "orders.created", LAST_15_MIN, now=AT)
    assert page is not None
    billing = next(one for one in page.groups if one.name == "billing")
    assert billing.rate == pytest.approx((180 - 130 + 60 - 30) / 60)
    assert billing.messages_from == "offsets"
    assert billing.trend == pytest.approx(0)
    assert billing.health.level == "failing"
    assert topics(LAST_15_MIN, now=AT).items[0].slowest_rate == pytest.approx(50 / 60)
