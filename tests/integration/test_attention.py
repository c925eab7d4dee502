"""The attention list: what is wrong now, worst first, and how what is usual is learned."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from collector import clock
from collector.store import usual_least
from dashboard.attention import AttentionList, attention
from dashboard.live.streams import BUILDERS
from dashboard.queries import troubles
from dashboard.queries.graph import Edge, drawn, facts
from dashboard.queries.grouping import Box
from dashboard.queries.window import parse
from dashboard.selection import inside
from tests.integration.graph_world import World
from tests.integration.letter_world import LetterWorld, dead_record
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db
AT = datetime.fromisoformat("2026-11-23T14:05:07+00:00")


def run(sql: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def needed(now: datetime = AT, text: str = "now-15m") -> AttentionList:
    known = facts(parse(text, "now", now=now), now=now)
    return attention(known, drawn(known, idle=False), now=now)


def lines(found: AttentionList) -> list[str]:
    return [f"{item.level}: {item.title} {item.sentence}" for item in found.items]


class Shop:
    """orders-svc writes orders.created, billing-svc reads it as `billing`."""

    def __init__(self, at: datetime = AT) -> None:
        self.world = world = World(at)
        self.created = world.topic("orders.created", first_at=at - timedelta(days=30))
        self.billing = world.group("billing")
        self.sends = world.edge(1, world.service("orders-svc"), self.created)
        self.reads = world.edge(2, world.service("billing-svc"), self.created, self.billing)
        for ago in (70, 60, 0):
            world.scanned(ago=ago)
        for ago, high in ((1000, 0), (60, 4_000), (0, 6_400)):
            world.watermarks(self.created, [high, high], ago=ago)
            world.committed(self.created, self.billing, [high // 2, high], ago=ago)
        world.counted(self.sends, 100, ago=40)
        world.counted(self.reads, 100, ago=40)

    def judged(self, verdict: str, *, lag: int, seconds: float | None, minutes_ago: float) -> None:
        run(
            "update group_now set verdict = %s, lag = %s, lag_seconds = %s, verdict_at = %s, n_judged = 1",
            verdict, lag, seconds, AT - timedelta(minutes=minutes_ago),
        )  # fmt: skip

    def usual(self, least: int, *, days: int = 5) -> None:
        hour = AT.replace(minute=0, second=0, microsecond=0)
        for day in range(1, days + 1):
            run("insert into usual_least values (%s, %s, %s)", hour - timedelta(days=day), self.created, least + day)

    def minutes(self, edge: int, counts: dict[int, int], *, errors: int = 0) -> None:
        """Counts by how many minutes ago they were."""
        for ago, n in counts.items():
            self.world.counted(edge, n, ago=ago * 60, errors=errors, table="edge_1m")


def test_nothing_wrong_says_how_much_was_looked_at(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Shop()
    known = facts(parse("now-15m", "now", now=AT), now=AT)
    with django_assert_num_queries(4):
        found = attention(known, drawn(known, idle=False), now=AT)
    assert (found.items, found.n_more) == ((), 0)
    assert found.fine == "Nothing needs attention. 3 nodes within limits."


def test_a_group_that_stands_still_is_told_with_lag_growth_time_and_a_link() -> None:
    Shop().judged("STALLED", lag=3_200, seconds=190.0, minutes_ago=3)
    found = needed()
    assert lines(found) == [
        "failing: billing is ≈3 min 10 s (3,200 offsets) behind on orders.created, growing 20/s, since 14:02 UTC:"
        " no progress with events waiting on 1 partition"
    ]
    assert found.items[0].url == "/groups/demo/billing/"


def test_what_a_group_is_about_to_lose_is_told_and_makes_it_worse() -> None:
    shop = Shop()
    shop.judged("SLOW", lag=3_200, seconds=80_000.0, minutes_ago=200)
    run("update topic set configs = %s", json.dumps({"cleanup.policy": "delete", "retention.ms": "86400000"}))
    (line,) = lines(needed())
    assert line.startswith("degraded: billing is ≈22 h 13 min (3,200 offsets) behind on orders.created, growing 20/s")
    assert "loses unread events in 7 h 6 min at this pace" in line
    shop.judged("SLOW", lag=3_200, seconds=85_900.0, minutes_ago=200)
    assert lines(needed())[0].startswith("failing: ")


def test_a_failing_edge_says_which_share_of_how_many_and_since_when() -> None:
    shop = Shop()
    shop.world.counted(shop.reads, 40, ago=100, errors=40)
    shop.minutes(shop.reads, {9: 50, 5: 50})
    shop.minutes(shop.reads, {3: 50, 1: 50}, errors=20)
    (line,) = lines(needed())
    assert line == (
        "failing: billing-svc fails on 29 % of what it reads from orders.created (40 of 140 in the last 15 min),"
        " since 14:02 UTC"
    )
    (item,) = needed().items
    assert item.sel == "edge:topic:demo/orders.created>service:billing-svc@group:demo/billing"
    shop.minutes(shop.reads, {0: 50})
    assert lines(needed())[0].endswith(", the last at 14:04 UTC"), "it has stopped since"


def test_what_failed_in_a_window_of_the_past_failed_since_some_time_before_its_end() -> None:
    shop = Shop()
    shop.world.counted(shop.reads, 40, ago=1_800, errors=40)
    shop.minutes(shop.reads, {40: 50, 3: 50})
    shop.minutes(shop.reads, {31: 50, 30: 50, 1: 50}, errors=20)
    known = facts(parse("2026-11-23T13:20:00Z", "2026-11-23T13:40:00Z", now=AT), now=AT)
    (line,) = lines(attention(known, drawn(known, idle=False), now=AT))
    assert line.endswith(" in 20 min), since 13:34 UTC")


def test_what_nobody_saw_begin_is_told_to_be_older() -> None:
    shop = Shop()
    shop.judged("STALLED", lag=3_200, seconds=190.0, minutes_ago=3)
    run("update group_now set verdict_at = null")
    shop.usual(400)
    group, topic = lines(needed())
    assert ", since before 14:05 UTC: " in group
    assert topic.endswith(", since before 22 Nov 14:04 UTC")


def test_what_fails_since_more_than_a_day_is_told_to_be_older() -> None:
    """Else its beginning would move on with the clock."""
    shop = Shop()
    shop.world.counted(shop.reads, 40, ago=30, errors=40)
    shop.minutes(shop.reads, {minutes: 50 for minutes in range(1, 1_441, 10)}, errors=20)
    (line,) = lines(needed())
    assert line.endswith(", since before 14:14 UTC")


def test_where_events_may_wait_unseen_no_topic_is_told_to_be_silent() -> None:
    """A collector that is away counts nothing: that is not nothing."""
    Shop().usual(400)
    run("insert into part_report values ('receive', 'a', %s, 5, true, '', '{}')", AT)
    run("insert into part_report values ('collect', 'a', %s, 5, true, '', '{}')", AT)
    assert any("far below its usual" in line for line in lines(needed()))
    run("update part_report set at = %s where part = 'collect'", AT - timedelta(minutes=3))
    assert not any("far below its usual" in line for line in lines(needed()))


def test_another_cluster_that_is_away_hides_no_rebalance() -> None:
    """How long a group has been joining is measured against the scans of its own cluster."""
    shop = Shop()
    shop.judged("REBALANCING", lag=10, seconds=1.0, minutes_ago=2)
    run("insert into cluster (name) values ('west')")
    run(
        "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms)"
        " select id, %s, true, 1, 1, 5 from cluster where name = 'west'", AT - timedelta(hours=3),
    )  # fmt: skip
    assert any("members are joining" in line for line in lines(needed()))


def test_what_the_intake_met_is_told_with_its_time() -> None:
    Shop()
    for minutes in (50, 20):
        run(
            "with i as (insert into input (kind, cluster_id, topic_name) values (1, 0, %s) returning id)"
            " insert into batch (stored_at, input_id, n_spans, n_links, folded, measured, n_undecodable)"
            " select %s, id, 0, 0, true, true, 1 from i", f"spool {minutes}", AT - timedelta(minutes=minutes),
        )  # fmt: skip
    (line,) = lines(needed())
    assert line == "degraded: Intake could not decode 2 records in the last 1 h, since 13:15 UTC"


def test_a_topic_far_below_its_usual_at_this_hour_is_told() -> None:
    shop = Shop()
    shop.usual(400)
    shop.minutes(shop.sends, dict.fromkeys(range(9, 40), 50))
    shop.minutes(shop.sends, {3: 12})
    (line,) = lines(needed())
    assert line.startswith("degraded: orders.created is far below its usual: ")
    assert line.endswith(" events in 10 min, usually at least 401 at this hour (over 5 days), since 14:03 UTC")
    run("delete from edge_1m where bucket_at > %s", AT - timedelta(minutes=20))
    assert lines(needed())[0].startswith("failing: orders.created is far below its usual: 0 events in 10 min")
    run("update fold_state set as_of = %s", AT - timedelta(minutes=2))
    assert lines(needed()) == [], "while spans are counted late nobody knows"


def test_a_topic_of_which_too_little_is_known_is_not_called_silent() -> None:
    Shop().usual(400, days=2)
    assert needed().items == ()


def test_open_dead_letters_are_told_the_growing_ones_first() -> None:
    world = LetterWorld()
    run("update fold_state set as_of = %s, ran_at = %s", AT, AT)
    world.park(*(dead_record(n) for n in range(3)))
    run("update dead_letter set seen_at = %s", AT - timedelta(minutes=2))
    (line,) = lines(needed())
    assert "has 3 open dead letters, 3 new in the last 15 min, the first since " in line
    run("update dead_letter set seen_at = %s", AT - timedelta(hours=2))
    (line,) = lines(needed())
    assert "3 open dead letters, none new in the last 15 min, since " in line
    assert ", the last at " in line
    run("update dead_letter set expires_at = %s", AT + timedelta(minutes=55))
    assert any("leave Kafka within 3 h, the first at 15:00 UTC; Weir keeps" in line for line in lines(needed()))
    run("insert into cluster (name) values ('west')")
    known = facts(parse("now-15m", "now", now=AT), now=AT, clusters=["west"])
    assert attention(known, drawn(known, idle=False), now=AT).items == (), "of another cluster nothing is told"


def test_of_more_new_letters_than_are_looked_at_it_is_told_that_there_are_at_least_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood in one topic must not make another one say that none came."""
    world = LetterWorld()
    run("update fold_state set as_of = %s, ran_at = %s", AT, AT)
    world.park(*(dead_record(n) for n in range(3)))
    run("update dead_letter set seen_at = %s", AT - timedelta(minutes=2))
    monkeypatch.setattr(troubles, "MOST_NEW", 2)
    (line,) = lines(needed())
    assert "has 3 open dead letters, at least 2 new in the last 15 min, the first since " in line
    monkeypatch.setattr(troubles, "MOST_NEW", 0)
    (line,) = lines(needed())
    assert "has 3 open dead letters, since " in line
    assert "none new" not in line


def test_parts_of_weir_that_do_not_work_come_first_and_the_rest_is_counted() -> None:
    Shop().judged("STALLED", lag=3_200, seconds=190.0, minutes_ago=3)
    for name, ago, ok in (("fold", 1, True), ("collect", 40, True), ("receive", 1, False)):
        run(
            "insert into part_report values (%s, 'a', %s, 5, %s, 'Kafka is away.', '{}')",
            name, AT - timedelta(seconds=ago), ok,
        )  # fmt: skip
    found = needed()
    assert [item.title for item in found.items] == ["3 parts of Weir", "billing"]
    assert found.items[0].sentence == (
        "fail: Receiver does not work: Kafka is away (since before 14:05 UTC); Collector has not reported for 40 s,"
        " since 14:04 UTC;"
        " Lag sampler is not running, its newest data is of 14:05 UTC"
    )
    run("insert into part_report values ('sample', 'a', %s, 5, true, '', '{}')", AT)
    run("update part_report set ok = true, at = %s where part <> 'collect'", AT)
    (only,) = [item for item in needed().items if item.url == "/health/"]
    assert (only.title, only.sentence.split(". ")[0]) == ("Collector", "has not reported for 40 s, since 14:04 UTC")


def test_names_that_two_clusters_have_are_told_with_their_cluster() -> None:
    Shop().judged("STALLED", lag=3_200, seconds=190.0, minutes_ago=3)
    run("insert into cluster (name) values ('west')")
    run("insert into consumer_group (cluster_id, name) select id, 'billing' from cluster where name = 'west'")
    (item,) = needed().items
    assert item.title == "billing · demo"
    assert "behind on orders.created, " in item.sentence


def test_twenty_are_listed_and_the_others_are_counted() -> None:
    shop = Shop()
    for number in range(22):
        other = shop.world.topic(f"topic-{number}")
        shop.world.committed(other, shop.billing, [1], ago=0, lag=number + 1)
    run("update group_now set verdict = 'STALLED', lag_seconds = null, n_judged = 1")
    found = needed()
    assert (len(found.items), found.n_more) == (20, 3)


def test_the_page_shows_five_and_says_how_many_more_there_are() -> None:
    shop = Shop(clock.now())
    for number in range(22):
        other = shop.world.topic(f"topic-{number}")
        shop.world.committed(other, shop.billing, [1], ago=0, lag=number + 1)
    run("update group_now set verdict = 'STALLED', lag_seconds = null, n_judged = 1")
    page = signed_in(person("vera", "viewer")).get("/").content.decode()
    section = page.partition('id="attention"')[2].partition("</section>")[0]
    assert section.count("data-id=") == 20, "all are there where no script hides the others"
    assert ">18 more</button>" in section
    assert ">and 3 more that are not listed</p>" in section


def test_who_says_that_nothing_is_wrong_does_not_count_what_is_unknown() -> None:
    Shop()
    known = facts(parse("now-15m", "now", now=AT), now=AT)
    graph = drawn(known, idle=False)

    def said(*levels: str) -> tuple[str, str]:
        nodes = tuple(replace(node, health=level) for node, level in zip(graph.nodes, levels, strict=True))
        found = attention(known, replace(graph, nodes=nodes), now=AT)
        return found.fine, found.level

    def boxed(*levels: str) -> tuple[str, str]:
        nodes = tuple(replace(node, health=level) for node, level in zip(graph.nodes, levels, strict=True))
        box = Box("domain:shop", "domain", "shop", tuple(node.id for node in nodes))
        found = inside(box, replace(graph, nodes=nodes))
        return found.health, found.sentence

    assert boxed("ok", "ok", "idle") == ("ok", "all 3 are within limits")
    assert boxed("ok", "unknown", "ok") == ("ok", "2 of 3 are within limits, 1 unknown")
    assert boxed("unknown", "unknown", "ok") == ("unknown", "1 of 3 are within limits, 2 unknown")
    assert boxed("unknown", "unknown", "degraded") == ("degraded", "1 of 3 are not well")
    assert said("ok", "idle", "unknown") == ("Nothing needs attention. 2 nodes within limits, 1 unknown.", "ok")
    assert said("ok", "idle", "degraded") == (
        "Nothing is known to need attention: 2 nodes within limits, 1 degraded.",
        "unknown",
    )
    assert said("ok", "unknown", "unknown") == (
        "Nothing is known to need attention: 1 node within limits, 2 unknown.",
        "unknown",
    )


def test_a_group_of_nodes_says_where_its_rate_is_estimated_or_lacks_an_edge() -> None:
    Shop()
    graph = drawn(facts(parse("now-15m", "now", now=AT), now=AT), idle=False)
    (reads,) = [edge for edge in graph.edges if edge.kind == "consume"]
    assert reads.rate is not None
    box = Box("domain:shop", "domain", "shop", (reads.target,))

    def flows(*edges: Edge) -> tuple[str, float | None]:
        found = inside(box, replace(graph, edges=edges))
        return found.about_in, found.rate_in

    assert flows(reads) == ("", reads.rate)
    assert flows(reads, replace(reads, estimated=True)) == ("≈ ", 2 * reads.rate)
    assert flows(reads, replace(reads, rate=None)) == ("≥ ", reads.rate)
    assert flows(replace(reads, rate=None)) == ("", None)


def test_the_page_and_the_socket_say_the_same() -> None:
    now = clock.now()
    shop = Shop(now)
    shop.judged("STALLED", lag=3_200, seconds=None, minutes_ago=3)
    page = signed_in(person("vera", "viewer")).get("/")
    assert "3,200 offsets behind on orders.created" in page.content.decode()
    body = signed_in(person("olga", "operator")).get("/", headers={"X-Weir-Part": "graph"}).json()
    pushed = BUILDERS["graph"](900, now=now).body["attention"]["list"]
    assert [item["id"] for item in body["attention"]["list"]["items"]] == [item["id"] for item in pushed["items"]]
    assert pushed["n_more"] == 0


def test_the_counts_in_the_navigation_come_with_the_graph() -> None:
    """A page that stands open is not fetched for hours."""
    world = World(clock.now())
    run("insert into failure_group (title, first_at, last_at) values ('CardDeclined', now(), now())")
    topic = world.topic("orders.created.dlq", role=1)
    for status, n in ((0, 7), (3, 2), (5, 1)):
        run(
            "insert into failure_count (failure_group_id, topic_id, status, n)"
            " select id, %s::integer, %s::smallint, %s::bigint from failure_group", topic, status, n,
        )  # fmt: skip
    page = signed_in(person("vera", "viewer")).get("/").content.decode()
    assert 'title="8 open or unknown">8<' in page
    for build in BUILDERS.values():
        assert build(900, now=clock.now()).body["about"]["counts"] == {"open": 8, "running": 0, "of": ""}


def test_each_hour_is_learned_once_with_the_fewest_of_any_ten_minutes() -> None:
    shop = Shop()
    hour = AT.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    back = int((AT - hour).total_seconds() // 60)
    busy = {back - minute: 60 for minute in range(-9, 60)}
    shop.minutes(shop.sends, {ago: n for ago, n in busy.items() if ago not in range(back - 34, back - 30)})
    shop.minutes(shop.reads, busy)
    assert usual_least.learn(now=AT) == usual_least.MOST_AT_ONCE
    with connection.cursor() as cursor:
        cursor.execute("select least from usual_least where topic_id = %s and hour_at = %s", [shop.created, hour])
        assert cursor.fetchone() == (360,), "four minutes of ten brought nothing"
        cursor.execute("select count(*) from usual_least where hour_at < %s", [hour - timedelta(hours=1)])
        assert cursor.fetchone() == (0,), "hours in which nothing at all was counted say nothing"
    while usual_least.learn(now=AT):
        pass
    assert usual_least.learn(now=AT + timedelta(hours=1)) == 1
