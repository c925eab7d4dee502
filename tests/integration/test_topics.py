"""One topic as a page: by partition, what it keeps, what traces explain, and what changed."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from collector.domain.sample_chunks import Point, packed
from dashboard.charts import age_caption, lag_caption
from dashboard.live.streams import BUILDERS
from dashboard.queries import unpacking
from dashboard.queries.group_series import group_series
from dashboard.queries.keeping import keeping
from dashboard.queries.series import series
from dashboard.queries.topic import topic
from dashboard.queries.topic_partitions import Asked, PartitionTable
from dashboard.queries.topics import topics
from dashboard.queries.window import Window, parse
from dashboard.queries.wire import iso
from tests.integration.graph_world import World
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)
CONFIGS = {"cleanup.policy": "delete", "retention.ms": "3600000", "retention.bytes": "-1", "compression.type": "lz4"}


def run(sql: str, *values: str | int | float | datetime | list[int] | list[str] | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


class Shop:
    """Four partitions, the last with nine tenths of the traffic; billing reads half of it and is traced."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.world = world = World(at)
        self.topic, self.group = world.topic("orders.created"), world.group("billing")
        sender, reader = world.service("orders-svc"), world.service("billing-svc")
        writes, reads = world.edge(1, sender, self.topic), world.edge(2, reader, self.topic, self.group)
        for ago in range(600, -1, -10):
            world.scanned(ago=ago)
            done = 600 - ago
            world.watermarks(self.topic, [done, done, done, done * 27], ago=ago)
            world.committed(self.topic, self.group, [done, done, done, done * 12], ago=ago, lag=9000)
        run("update topic set n_partitions = 4, configs = %s::jsonb, configs_own = %s, configs_at = %s where id = %s",
            json.dumps(CONFIGS), ["retention.ms"], at, self.topic)  # fmt: skip
        run("update topic_now set leaders = %s where topic_id = %s", [1, 2, 1, 3], self.topic)
        run("update group_now set verdict = 'SLOW', n_judged = 1, lag_seconds = 333, verdict_at = %s", at)
        for ago in range(590, 0, -10):
            world.counted(writes, 300, ago=ago)
            world.counted(reads, 150, ago=ago)

    def mark(self, kind: int, before: str, after: str) -> None:
        run("insert into change_mark (at, kind, topic_id, before, after) values (%s, %s, %s, %s, %s)",
            self.at - timedelta(minutes=5), kind, self.topic, before, after)  # fmt: skip


def test_the_hot_partition_is_named_and_every_one_has_its_share_and_leader(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Shop()
    with django_assert_num_queries(17):
        page = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT, asked=Asked(100))
    assert page is not None
    assert [(row.partition, row.leader, row.is_hot) for row in page.partitions.rows] == [
        (0, 1, False), (1, 2, False), (2, 1, False), (3, 3, True),
    ]  # fmt: skip
    hot = page.partitions.rows[3]
    assert hot.rate == pytest.approx(27)
    assert hot.share == pytest.approx(0.9)
    assert page.partitions.groups == ("billing",)
    assert [row.lags for row in page.partitions.rows] == [(0,), (0,), (0,), (9000,)]


def test_what_is_unread_is_lost_by_age_at_this_pace_and_by_size_if_there_is_such_a_limit(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    (group,) = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT).groups  # type: ignore[union-attr]
    assert group.risk is not None
    assert group.risk.by_time == pytest.approx((3600 - 333) / 0.5, rel=0.01)  # it reads half of what comes in
    assert group.risk.by_size == float("inf")
    run('update topic set configs = configs || \'{"retention.bytes": "1000000"}\' where id = %s', shop.topic)
    assert topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT).groups[0].risk.by_size is None  # type: ignore[union-attr]
    for offset in range(50):
        run("insert into record (stored_at, topic_id, kafka_partition, kafka_offset, size_bytes, n_headers,"
            " timestamp_type) values (%s, %s, 0, %s, 100, 0, 1)", AT, shop.topic, offset)  # fmt: skip
    with django_assert_num_queries(2):
        assert keeping([shop.topic])[shop.topic].record_bytes == pytest.approx(100)
    risk = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT).groups[0].risk  # type: ignore[union-attr]
    assert risk is not None
    assert risk.by_size == pytest.approx((10_000 - 9000 / 4) / (15 / 4), rel=0.02)


def test_traces_explain_a_share_of_each_side() -> None:
    Shop()
    page = topic("demo", "orders.created", parse("now-5m", "now", now=AT), now=AT)
    assert page is not None
    assert page.share.ratio == pytest.approx(1.0, abs=0.05)
    assert page.groups[0].share.ratio == pytest.approx(1.0, abs=0.05)
    run("update edge_10s set n = n / 2")
    halved = topic("demo", "orders.created", parse("now-5m", "now", now=AT), now=AT)
    assert halved is not None
    assert halved.share.ratio == pytest.approx(0.5, abs=0.05)
    assert halved.unknown_rate == pytest.approx(15, abs=2)


def test_gaps_between_tapped_offsets_are_markers_and_compaction_is_a_setting() -> None:
    shop = Shop()
    for offset in (1, 2, 3, 5):
        run("insert into record (stored_at, topic_id, kafka_partition, kafka_offset, size_bytes, n_headers,"
            " timestamp_type) values (%s, %s, 0, %s, 100, 0, 1)", AT, shop.topic, offset)  # fmt: skip
    page = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT)
    assert page is not None
    assert page.unlike_events == "transactional"
    run('update topic set configs = configs || \'{"cleanup.policy": "compact"}\' where id = %s', shop.topic)
    page = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT)
    assert page is not None
    assert page.unlike_events == "compacted"
    assert page.groups[0].risk is not None
    assert page.groups[0].risk.seconds == float("inf")  # compaction deletes nothing for being old


def test_in_the_past_partitions_are_as_they_were() -> None:
    Shop()
    then = Window(AT - timedelta(minutes=8), AT - timedelta(minutes=5), live=False)
    page = topic("demo", "orders.created", then, now=AT, asked=Asked(100))
    assert page is not None
    assert [(row.high, row.leader, row.lags) for row in page.partitions.rows] == [
        *[(300, None, (0,))] * 3, (8100, None, (4500,)),
    ]  # fmt: skip
    (hot,) = page.partitions.hot
    assert hot.partition == 3
    assert hot.rate == pytest.approx(27)


def test_after_a_time_in_which_nobody_looked_no_partition_has_a_burst() -> None:
    Shop()
    run("delete from scan where sampled_at between %s and %s", AT - timedelta(seconds=400), AT - timedelta(seconds=1))
    page = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT, asked=Asked(100))
    assert page is not None
    assert [(row.rate, row.is_hot) for row in page.partitions.rows] == [(None, False)] * 4


def many_groups(shop: Shop) -> None:
    """Ten beside billing: three with the same lag, two of whom nothing is known, two that are not behind."""
    behind = {"g1": 700, "b": 500, "a": 500, "c": 500, "g2": 20, "g3": 10, "u2": None, "u1": None, "z1": 0, "z2": 0}
    for name, lag in behind.items():
        group = shop.world.group(name)
        shop.world.committed(shop.topic, group, [1, 1, 1, 1], ago=120)
        run("update group_now set lag = %s where group_id = %s", lag, group)
        run("insert into group_1h (bucket_at, topic_id, group_id, n_total, lag) values (%s, %s, %s, 1, %s)",
            AT - timedelta(hours=1), shop.topic, group, lag)  # fmt: skip


FURTHEST = ("billing", "g1", "a", "b", "c", "g2", "g3", "u1")


def test_of_very_many_groups_the_eight_furthest_behind_are_told_by_partition() -> None:
    shop = Shop()
    many_groups(shop)
    page = topic("demo", "orders.created", parse(None, None, now=AT), now=AT, asked=Asked(10))
    assert page is not None
    assert page.partitions.groups == FURTHEST
    assert page.partitions.n_more_groups == 3


def test_of_very_many_groups_a_chart_draws_the_five_furthest_behind_by_name_where_they_tie() -> None:
    shop = Shop()
    many_groups(shop)
    lines = series("demo", shop.topic, parse(None, None, now=AT), now=AT)
    assert tuple(line.name for line in lines.lags) == FURTHEST[:5]
    assert lines.n_more_groups == 6
    long = series("demo", shop.topic, parse("now-7d", "now", now=AT), now=AT)
    assert tuple(line.name for line in long.lags) == FURTHEST[:5]
    assert long.n_more_groups == 6


def test_in_the_past_the_same_groups_are_told_and_of_very_many_partitions_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop()
    many_groups(shop)
    then = Window(AT - timedelta(minutes=8), AT - timedelta(minutes=1), live=False)

    def told(later: timedelta = timedelta(hours=2)) -> PartitionTable:
        page = topic("demo", "orders.created", then, now=AT + later, asked=Asked(10))
        assert page is not None
        return page.partitions

    lags = [None if row.lags[0] is None else sum(lag or 0 for lag in row.lags) for row in told().rows]
    assert len(told().groups) == 8
    assert None not in lags
    monkeypatch.setattr(unpacking, "MOST_OFFSETS", 1_800 * 4 * 6)  # six series of each of its four partitions
    fewer = told()
    assert fewer.groups == told().groups[:3]
    assert fewer.n_more_groups == 8
    monkeypatch.setattr(unpacking, "MOST_OFFSETS", 1)
    assert len(told().groups) == 1
    assert len(told(timedelta(0)).groups) == 8  # its samples are rows


def test_settings_of_the_topics_own_come_first() -> None:
    Shop()
    page = topic("demo", "orders.created", parse("now-15m", "now", now=AT), now=AT)
    assert page is not None
    assert [(each.name, each.is_own) for each in page.settings] == [
        ("retention.ms", True), ("cleanup.policy", False), ("compression.type", False), ("retention.bytes", False),
    ]  # fmt: skip


def test_a_gap_without_scans_breaks_every_line_and_a_silence_does_not(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    run("delete from scan where sampled_at between %s and %s", AT - timedelta(seconds=300), AT - timedelta(seconds=200))
    with django_assert_num_queries(6):
        lines = series("demo", shop.topic, parse("now-10m", "now", now=AT), now=AT)
    for line in (lines.rate_in, lines.rates_out[0], lines.lags[0], lines.ages[0]):
        known = [value is not None for value in line.values]
        assert known.count(False) >= 12
        assert all(known[-20:])
    assert {round(value) for value in lines.rate_in.values[2:] if value is not None} == {30}
    ages = [value for value in lines.ages[0].values if value is not None]
    assert ages[-1] == pytest.approx(333, abs=12)


def test_a_chart_of_very_many_partitions_has_fewer_points() -> None:
    shop = Shop()
    run("update topic set n_partitions = 10000 where id = %s", shop.topic)
    window = parse("now-15m", "now", now=AT)
    for lines in (series("demo", shop.topic, window, now=AT), group_series("demo", shop.group, window, now=AT)):
        assert (len(lines.at), lines.step_seconds) == (60, 15)


def test_the_list_knows_which_topics_are_at_risk(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop = Shop()
    shop.world.topic("quiet")
    with django_assert_num_queries(11):
        found = {row.name: row.loses_in_seconds for row in topics(parse("now-15m", "now", now=AT), now=AT).items}
    assert found["orders.created"] == pytest.approx((3600 - 333) / 0.5, rel=0.01)
    assert found["quiet"] == float("inf")


def test_what_is_only_compacted_is_kept_for_ever() -> None:
    shop = Shop()
    configs = {"retention.ms": "604800000"}
    for policy in ("compact", "compact,delete", "delete"):
        run("update topic set configs = %s::jsonb where id = %s",
            json.dumps({**configs, "cleanup.policy": policy}), shop.world.topic(policy))  # fmt: skip
    listed = {row.name: row.retention_ms for row in topics(parse("now-15m", "now", now=AT), now=AT).items}
    assert (listed["compact"], listed["compact,delete"], listed["delete"]) == (-1, 604_800_000, 604_800_000)


@pytest.fixture
def viewer() -> Client:
    return signed_in(person("vera", "viewer"))


def test_each_live_stream_can_be_sent_as_it_is_built() -> None:
    Shop()
    for kind, build in BUILDERS.items():
        sent = json.loads(json.dumps(build(900, now=AT).body, allow_nan=False))
        assert sent["about"][kind]["scanned_at"] == iso(AT)
        if kind == "topics":
            assert [(row["name"], row["share"]) for row in sent[kind].values()] == [("orders.created", 0.9833)]


def test_every_tab_says_it_in_words(viewer: Client) -> None:
    shop = Shop(now())
    shop.mark(4, '{"retention.ms": "604800000"}', '{"retention.ms": "3600000"}')
    address = "/topics/demo/orders.created/"
    flow = viewer.get(address).content.decode()
    assert "orders.created: retention.ms 7 d → 1 h" in flow
    assert flow.count('<tr><td class="nowrap">') >= 3 * 170  # a table under each chart holds every step
    assert "hot: 3" in flow
    assert "of what was written" in flow
    partitions = viewer.get(address, {"tab": "partitions"}).content.decode()
    assert '<span class="tag">hot</span>' in partitions
    config = viewer.get(address, {"tab": "config"}).content.decode()
    assert re.search(r"− <bdi>604800000</bdi>\s*<span class=\"muted\">\(7 d\)", config)
    assert viewer.get(address, {"tab": "events"}).status_code == 200
    assert viewer.get("/topics/?q=is:at-risk").content.decode().count("<tr data-key=") == 1
    charts = viewer.get(address, headers={"X-Weir-Part": "charts"}).json()
    assert [mark["kind"] for mark in charts["marks"]] == ["config"]
    assert charts["captions"]["rates"].startswith("Written: ")
    fresh = viewer.get(address, headers={"X-Weir-Part": "fresh"}).content.decode()
    assert 'id="standing"' in fresh
    assert 'id="flow"' in fresh
    assert "<html" not in fresh
    run("update topic set deleted_at = %s where id = %s", now(), shop.topic)
    gone = viewer.get(address)
    assert gone.status_code == 404
    assert "The topic is gone from" in gone.content.decode()


def test_what_is_kept_of_a_deleted_topic_is_drawn_and_nothing_after_its_end(viewer: Client) -> None:
    shop, gone_at = Shop(now()), now() - timedelta(minutes=5)
    run("update topic set deleted_at = %s where id = %s", gone_at, shop.topic)
    page = viewer.get("/topics/demo/orders.created/")
    rates = page.context["charts"]["rates"]
    before = [
        value
        for at, value in zip(rates["at"], rates["lines"][0]["values"], strict=True)
        if at < shop.at.timestamp() - 310
    ]
    after = [
        value for at, value in zip(rates["at"], rates["lines"][0]["values"], strict=True) if at > gone_at.timestamp()
    ]
    assert any(before)
    assert after
    assert set(after) == {None}
    assert f'Its history is kept until <time datetime="{(gone_at + timedelta(days=30)).date()}' in page.content.decode()
    run("update topic set deleted_at = %s where id = %s", now() - timedelta(days=31), shop.topic)
    assert "Its history is no longer kept." in viewer.get("/topics/demo/orders.created/").content.decode()


def test_what_was_deleted_unread_is_said(viewer: Client) -> None:
    Shop(now())
    run("update group_now set lost = 840")
    assert "840 offsets were deleted unread" in viewer.get("/topics/demo/orders.created/").content.decode()


def test_a_chart_of_a_day_long_ago_reads_what_is_packed(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop = Shop()
    week = [AT - timedelta(hours=hour) for hour in range(168, 100, -1)]
    with connection.cursor() as cursor:
        for number, hour in enumerate(week):
            at = hour + timedelta(minutes=59)
            for minute in range(60):
                looked = hour + timedelta(minutes=minute)
                cursor.execute("insert into scan values (%s, %s, true, 1, 1, 5, '')", [shop.world.cluster, looked])
            for kind, group, values in (
                (0, 0, ((number * 3600,) * 4, (0,) * 4)),
                (1, shop.group, ((number * 3600 - 36,) * 4,)),
            ):
                cursor.execute(
                    "insert into sample_chunk values (%s, %s, %s, %s, 1, %s)",
                    [kind, shop.topic, group, hour, packed([Point(at, values)])],
                )
    with django_assert_num_queries(8):
        lines = series("demo", shop.topic, parse("2026-11-18T02:00:00Z", "2026-11-18T13:00:00Z", now=AT), now=AT)
    known = [value for value in lines.rate_in.values if value is not None]
    assert len(known) > 160
    assert sum(known) * lines.step_seconds == pytest.approx(4 * 10.5 * 3600, rel=0.08)
    assert {value for value in lines.lags[0].values if value is not None} == {144.0}


def test_what_would_be_too_much_to_unpack_is_drawn_by_sums_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    then = Window(AT - timedelta(hours=3), AT - timedelta(minutes=1), live=False)
    assert not series("demo", shop.topic, then, now=AT).by_sums
    assert not group_series("demo", shop.group, then, now=AT).by_sums
    monkeypatch.setattr(unpacking, "MOST_OFFSETS", 1)
    for number in range(1, 12):
        at = AT - timedelta(minutes=10 * number)
        run("insert into topic_10m (bucket_at, topic_id, n_total) values (%s, %s, %s)",
            at, shop.topic, 6_000 - 600 * number)  # fmt: skip
        run("insert into group_10m (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds)"
            " values (%s, %s, %s, 1, 7, 70, 9)", at, shop.topic, shop.group)  # fmt: skip
        run("insert into scan_10m values (%s, %s, 60)", shop.world.cluster, at)
    lines = series("demo", shop.topic, then, now=AT)
    assert (lines.by_sums, lines.too_many, lines.n_more_groups) == (True, True, 0)
    assert 1.0 in lines.rate_in.values
    own = group_series("demo", shop.group, then, now=AT)
    assert (own.by_sums, own.too_many, own.n_more_topics) == (True, True, 0)
    assert 9.0 in own.ages[0].values
    said = "Each point is the highest of its 10 min. Of so many partitions no single samples are unpacked"
    assert said in lag_caption(lines)
    assert said in age_caption(own)
    assert not series("demo", shop.topic, parse(None, None, now=AT), now=AT).by_sums  # of now nothing is unpacked
    recent = Window(AT - timedelta(minutes=8), AT - timedelta(minutes=3), live=False)
    assert not series("demo", shop.topic, recent, now=AT).by_sums  # nor of what is still there as rows
    assert series("demo", shop.topic, parse("now-6h", "now", now=AT), now=AT).too_many
    short = Window(AT - timedelta(minutes=178), AT - timedelta(minutes=173), live=False)
    of_short = series("demo", shop.topic, short, now=AT)
    assert (of_short.at, of_short.too_many) == ((), True)
    assert "nothing is summed up of so short a window. Of so many partitions" in lag_caption(of_short)


def test_the_list_as_a_file_holds_what_the_page_does_and_no_formula(viewer: Client) -> None:
    shop = Shop(now())
    shop.world.topic("=cmd()")
    answer = viewer.get("/topics/list.csv")
    assert answer["Content-Type"].startswith("text/csv")
    assert answer["Content-Disposition"] == 'attachment; filename="topics.csv"'
    rows = {row["topic"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows.keys() == {"orders.created", "'=cmd()"}
    orders = rows["orders.created"]
    assert (orders["worst_lag_offsets"], orders["worst_lag_seconds"]) == ("9000", "333")
    assert 0 < int(orders["of_these_traced"]) < int(orders["written_in_window"])
    assert (rows["'=cmd()"]["in_per_second"], rows["'=cmd()"]["worst_lag_offsets"]) == ("", "")


def test_a_file_is_filtered_like_the_page_and_refused_where_the_filter_says_nothing(viewer: Client) -> None:
    Shop(now())
    assert viewer.get("/topics/list.csv", {"q": "topic:payments.*"}).text.count("\n") == 1
    refused = viewer.get("/topics/list.csv", {"q": "lag>soon"})
    assert (refused.status_code, refused["Content-Type"]) == (400, "text/plain; charset=utf-8")
    for address, name in (("/groups/list.csv", "billing"), ("/services/list.csv", "billing-svc")):
        assert name in viewer.get(address).text


def test_of_very_many_partitions_a_hundred_are_shown_in_any_order_and_all_are_in_the_file(viewer: Client) -> None:
    shop = Shop(now())
    run("delete from topic_sample")
    high: list[int | None] = [1_000 + number for number in range(2_500)]
    shop.world.watermarks(shop.topic, list(high), ago=70)
    high[1_234], high[7] = 11_234, 1_107
    shop.world.watermarks(shop.topic, list(high), ago=0)
    shop.world.committed(shop.topic, shop.group, [(end or 0) - (700 if end == 3_000 else 3) for end in high], ago=0)
    run("update topic set n_partitions = 2500 where id = %s", shop.topic)
    address = "/topics/demo/orders.created/"

    def numbers(**query: str) -> list[int]:
        text = viewer.get(address, {"tab": "partitions", **query}).content.decode()
        return [int(each) for each in re.findall(r'<tr data-key="(\d+)"', text)]

    assert numbers() == list(range(100))
    assert numbers(rows="300") == list(range(300))
    assert len(numbers(rows="9999")) == 1_000
    assert numbers(sort="-rate")[:2] == [1_234, 7]
    assert numbers(sort="-lag:billing")[0] == 2_000
    assert numbers(sort="-partition")[0] == 2_499
    assert numbers(sort="-lag:nobody") == numbers()
    page = viewer.get(address, {"tab": "partitions"}).content.decode()
    assert "100 of 2,500 partitions" in page
    assert "Show 100 more" in page
    assert "hot: 1234 (99 %), 7 (1.1 %)" in page
    longest = viewer.get(address, {"tab": "partitions", "rows": "1000"}).content.decode()
    assert "1,000 of 2,500 partitions" in longest
    assert 'id="more-rows"' not in longest
    file = viewer.get(f"{address}partitions.csv", {"sort": "-rate"})
    lines = list(csv.reader(io.StringIO(file.content.decode())))
    assert len(lines) == 2_501
    assert (lines[0][0], lines[0][-1], lines[1][0]) == ("partition", "lag_of_billing", "1234")
    assert viewer.get("/topics/demo/nobody/partitions.csv").status_code == 404
    answer = (
        Client()
        .get("/api/v1/topics/demo/orders.created", headers=bearer(token_of(person("olga", "operator"), "read")))
        .json()
    )
    assert len(answer["partitions"]) == 1_000
    assert {7, 1_234} < {row["partition"] for row in answer["partitions"]}


def test_each_producer_is_said_to_have_written_last_when_its_spans_say(viewer: Client) -> None:
    shop = Shop(now())
    (edge, at) = topic("demo", "orders.created", parse("now-15m", "now", now=shop.at), now=shop.at).producers_told[0]  # type: ignore[union-attr]
    assert edge.source == "service:orders-svc"
    assert at is not None
    assert timedelta(0) <= shop.at - at <= timedelta(seconds=30)
    run("delete from edge_10s")
    run(
        "insert into edge_1h (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
        " select date_trunc('hour', %s::timestamptz) - interval '5 h', id, 9, 0, 1, 9, 1 from edge where id > 0",
        shop.at,
    )
    answer = (
        Client()
        .get(
            "/api/v1/topics/demo/orders.created?from=now-24h",
            headers=bearer(token_of(person("olga", "operator"), "read")),
        )
        .json()
    )
    hour = shop.at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    assert answer["written_at"] == {"service:orders-svc": iso(hour)}
    text = viewer.get("/topics/demo/orders.created/?from=now-24h").content.decode()
    assert re.search(r"9</td><td class=\"number\">0</td><td class=\"nowrap\"><time [^>]*data-ago>[56] h ago", text)


def test_a_list_says_that_spans_are_sampled(viewer: Client) -> None:
    Shop(now())
    run("update edge_10s set evidence = 1 | 64, sample_weight = 9 * n")
    for page in ("/topics/", "/services/"):
        assert "traced, offsets, sampled" in viewer.get(page).content.decode(), page
    assert viewer.get("/topics/?q=known:sampled").content.decode().count("<tr data-key=") == 1


def test_the_list_says_how_new_it_is(viewer: Client) -> None:
    Shop(now())
    assert re.search(r"1 topics?, newest data <time", viewer.get("/topics/").content.decode())
