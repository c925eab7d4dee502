"""Consumer groups as list and page: what the tables say is what people read."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from dashboard.queries.group import MOST_AGES, Place, group, spans
from dashboard.queries.group_series import group_series
from dashboard.queries.groups import groups
from dashboard.queries.marks import marks_of_group, marks_of_topic
from dashboard.queries.window import Window, parse
from tests.integration.graph_world import World
from tests.integration.people import person, signed_in

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)


def window(at: datetime = AT) -> Window:
    return parse("now-15m", "now", now=at)


def run(sql: str, *values: str | int | float | datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


class Shop:
    """Ten orders a second on two partitions; billing stopped three minutes ago on the second one."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.world = world = World(at)
        self.topic, self.group, self.silent = world.topic("orders.created"), world.group("billing"), world.group("sink")
        service = world.service("billing-svc")
        self.reads = world.edge(2, service, self.topic, self.group)
        run("update consumer_group set state = 'Stable', protocol = 1 where id = %s", self.group)
        run("update consumer_group set state = 'Hidden', protocol = 4 where id = %s", self.silent)
        run(
            "insert into group_member values (%s, 'm-1', 'billing-1', '10.0.0.1',"
            " '[[\"orders.created\", 0], [\"orders.created\", 1]]', %s)", self.group, at,
        )  # fmt: skip
        for ago in range(600, -1, -10):
            world.scanned(ago=ago)
            written = (600 - ago) * 5
            world.watermarks(self.topic, [written, written], ago=ago)
            world.committed(self.topic, self.group, [written, min(written, 420 * 5)], ago=ago, lag=900)
        run(
            "update group_now set verdict = 'STALLED', n_judged = 1, verdict_at = %s, lag_seconds = 180,"
            " lag_seconds_margin = 5, moved_at = %s", at - timedelta(seconds=150), at,
        )  # fmt: skip
        run(
            "update topic set configs = '{\"cleanup.policy\": \"delete\", \"retention.ms\": \"3600000\","
            " \"retention.bytes\": \"-1\"}' where id = %s", self.topic,
        )  # fmt: skip


def test_the_list_has_every_group_and_names_those_that_cannot_be_read(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Shop()
    with django_assert_num_queries(11):
        found = groups(window(), now=AT)
    billing, sink = found.items
    assert (billing.name, billing.health.level, billing.n_members, billing.lag, billing.lag_seconds) == (
        "billing", "failing", 1, 900, 180,
    )  # fmt: skip
    assert billing.health.sentence == "no progress with events waiting on 1 partition"
    assert (sink.name, sink.health.level, sink.lag, sink.n_members) == ("sink", "unknown", None, None)
    assert "not readable" in sink.health.sentence


def test_of_a_group_that_reads_very_many_topics_those_are_shown_on_which_it_is_furthest_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop()
    for number in range(4):
        topic = shop.world.topic(f"t{number}")
        shop.world.watermarks(topic, [100, 100], ago=0)
        shop.world.committed(topic, shop.group, [20 * number, 100], ago=0, lag=100 - 20 * number)
    monkeypatch.setattr("dashboard.queries.group.MOST_TOPICS", 2)
    page = group("demo", "billing", window(), now=AT)
    assert page is not None
    assert {each.topic for each in page.partitions} == {"orders.created", "t0"}
    assert page.n_partitions == 10
    asked = group("demo", "billing", window(), now=AT, why=("t3", None))
    assert asked is not None
    assert {each.topic for each in asked.partitions} == {"orders.created", "t0", "t3"}


def test_a_group_that_falls_behind_is_never_done_and_loses_data_by_its_age(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    Shop()
    with django_assert_num_queries(18):
        page = group("demo", "billing", window(), now=AT)
    assert page is not None
    (reading,) = page.row.readings
    assert reading.trend == pytest.approx(5)
    assert reading.done_in_seconds == float("inf")
    assert reading.risk is not None
    assert reading.risk.seconds == pytest.approx((3600 - 180) / 0.5)  # it reads half of what comes in
    assert group("demo", "nobody", window(), now=AT) is None


def test_each_partition_has_its_own_lag_verdict_and_holder() -> None:
    Shop()
    page = group("demo", "billing", window(), now=AT)
    assert page is not None
    stuck, fine = page.partitions
    assert (stuck.partition, stuck.lag, stuck.verdict, stuck.member) == (1, 900, "STALLED", "billing-1")
    assert stuck.age is not None
    assert stuck.age.seconds == pytest.approx(180, abs=0.2)
    assert (fine.partition, fine.lag, fine.verdict) == (0, 0, "OK")
    assert page.worst_partition == Place(stuck.topic, stuck.partition, stuck.lag)


def test_in_the_past_young_lags_have_narrow_margins_and_old_ones_an_age_too() -> None:
    shop = Shop()
    for ago in range(3600, 600, -10):
        shop.world.scanned(ago=ago)
        shop.world.watermarks(shop.topic, [0, 0], ago=ago)
    for ago, written in ((600, 0), (0, 3000)):  # as they stand now
        shop.world.watermarks(shop.topic, [written, written], ago=ago)
    then = Window(AT - timedelta(minutes=5), AT - timedelta(seconds=15), live=False)
    shop.world.committed(shop.topic, shop.group, [2880, 0], ago=20)
    page = group("demo", "billing", then, now=AT)
    assert page is not None
    ages = {each.partition: each.age for each in page.partitions}
    assert ages[0] is not None
    assert ages[1] is not None
    assert ages[0].seconds == pytest.approx(9, abs=1)
    assert ages[0].margin_seconds <= 10
    assert ages[1].seconds == pytest.approx(585, abs=130)


def test_members_that_are_left_out_are_counted(viewer: Client) -> None:
    shop = Shop(now())
    run(
        "insert into group_member select %s, 'x-' || n, 'client-' || n, '', '[]', %s from generate_series(1, 1200) n",
        shop.group, shop.at,
    )  # fmt: skip
    found = group("demo", "billing", window(shop.at), now=shop.at)
    assert found is not None
    assert (len(found.members), found.n_members, found.row.n_members) == (1000, 1201, 1201)
    members = viewer.get("/groups/demo/billing/?tab=members").content.decode()
    assert "The first 1,000 of 1,201, by client id." in members


def test_members_are_named_with_the_services_that_read_as_them(viewer: Client) -> None:
    shop = Shop(now())
    run("insert into group_member values (%s, 'm-2', 'other-1', '10.0.0.2', '[]', %s)", shop.group, shop.at)
    shop.world.counted(shop.reads, 50, ago=60)
    found = group("demo", "billing", window(shop.at), now=shop.at)
    assert found is not None
    assert [(member.client_id, services) for member, services in found.members_told] == [
        ("billing-1", ("service:billing-svc",)), ("other-1", ()),
    ]  # fmt: skip
    assert '<a href="/services/billing-svc/">' in viewer.get("/groups/demo/billing/?tab=members").content.decode()


def test_a_verdict_opens_the_samples_that_led_to_it() -> None:
    Shop()
    page = group("demo", "billing", window(), now=AT, why=("orders.created", 1))
    assert page is not None
    assert page.why is not None
    assert (page.why.verdict, page.why.number) == ("STALLED", 6)
    assert [sample.committed for sample in page.why.samples] == [2100] * 13
    assert page.why.samples[0].lag == 900
    whole = group("demo", "billing", window(), now=AT, why=("orders.created", None))
    assert whole is not None
    assert whole.why is not None
    assert whole.why.samples[0].committed == 2100 + 3000


def test_lag_in_seconds_over_time_rises_a_second_a_second(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop = Shop()
    with django_assert_num_queries(6):
        lines = group_series("demo", shop.group, window(), now=AT)
    known = [value for value in lines.ages[0].values if value is not None]
    assert known[-1] == pytest.approx(180, abs=6)
    assert known[-13] == pytest.approx(120, abs=6)
    assert max(known[:30]) < 11  # nothing before it stopped
    assert lines.lags[0].values[-1] == pytest.approx(900, abs=30)
    assert lines.rates[0].values[-2] == pytest.approx(5, abs=1)
    assert lines.ages[0].values[0] is None  # nobody had looked yet


def test_changes_of_a_group_are_its_own_its_topics_and_its_services(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    other = shop.world.topic("other")
    at = AT - timedelta(minutes=5)
    mark = (
        "insert into change_mark (at, kind, topic_id, group_id, service_id, before, after)"
        " values (%s, %s, %s, %s, %s, %s, %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute("select id from service where name = 'billing-svc'")
        (service,) = cursor.fetchone()
    for kind, topic, by, deployed, before, after in (
        (1, None, None, service, "2.7.3", "2.8.0"),
        (2, shop.topic, None, None, "a", "b"),
        (3, shop.topic, None, None, "2", "4"),
        (4, shop.topic, None, None, '{"retention.ms": "604800000"}', '{"retention.ms": "86400000"}'),
        (5, shop.topic, shop.group, None, '{"0": 1000, "1": 500}', '{"0": 100, "1": 400}'),
        (6, None, shop.group, None, "1", "2"),
        (7, shop.topic, shop.group, None, "0", "840"),
        (8, shop.topic, None, None, "60", "2"),
        (3, other, None, None, "1", "2"),
        (5, other, shop.silent, None, '{"0": 9}', '{"0": 1}'),
    ):
        run(mark, at, kind, topic, by, deployed, before, after)
    with django_assert_num_queries(1):
        found = marks_of_group(shop.group, window())
    assert {each.sentence for each in found.items} == {
        "billing-svc 2.8.0 seen first (was 2.7.3)",
        "orders.created was created again",
        "orders.created has 4 partitions (had 2)",
        "orders.created: retention.ms 604800000 → 86400000",
        "billing went back 1,000 on orders.created",
        "billing rebalanced: 1 member before, 2 members after",
        "billing began to lose unread data of orders.created: 840",
        "the end of orders.created fell by 60 offsets on 2 partitions",
    }
    assert (len({each.key for each in found.items}), len({each.row for each in found.items})) == (1, len(found.items))
    assert {each.kind for each in marks_of_topic(shop.topic, window()).items} == {each.kind for each in found.items}
    past = Window(AT - timedelta(hours=2), AT - timedelta(hours=1), live=False)
    assert marks_of_group(shop.group, past).items == ()


def test_partitions_are_written_as_spans() -> None:
    assert spans([0, 1, 2, 5, 7, 8]) == "0–2, 5, 7–8"
    assert spans([]) == ""


@pytest.fixture
def viewer() -> Client:
    return signed_in(person("vera", "viewer"))


def test_the_pages_say_it_in_words(viewer: Client) -> None:
    Shop(now())
    listed = viewer.get("/groups/").content.decode()
    assert "billing" in listed
    assert "not readable" in listed
    assert re.search(r'why=orders.created#why"[^>]*>STALLED</a>', listed)
    heads = re.findall(r"<th scope=\"col\"[^>]*>(?:<a [^>]*>)?([^<]+)", listed)
    assert heads[1:4] == ["Group", "Worst lag, offsets", "Verdict"]  # in sight on a narrow page
    assert viewer.get("/groups/?q=verdict:stalled").content.decode().count("<tr data-key=") == 1
    assert "No groups match" in viewer.get("/groups/?q=nobody").content.decode()
    page = viewer.get("/groups/demo/billing/?why=orders.created/1").content.decode()
    assert "<b>STALLED</b> on 1 of 2 partitions" in page
    assert "Rule 6: events wait and nothing was committed" in page
    assert "±5.0 s" in page
    assert "never" in page
    for tab in ("partitions", "members", "history"):
        assert viewer.get(f"/groups/demo/billing/?tab={tab}").status_code == 200
    assert viewer.get("/groups/demo/sink/").status_code == 200
    assert viewer.get("/groups/demo/nobody/").status_code == 404
    for why in ("x", "orders.created/x", "orders.created/99999999999", "/"):
        assert viewer.get("/groups/demo/billing/", {"why": why}).status_code == 200


def test_a_lag_that_is_not_known_is_a_question_mark_and_never_0(viewer: Client) -> None:
    Shop(now())
    run("update group_now set lag_seconds = null, lag_seconds_margin = null")
    assert "needs 2 samples" in viewer.get("/groups/").content.decode()
    run("update group_now set lag = null, n_uncommitted = 2, verdict = 'NO COMMITS'")
    page = viewer.get("/groups/demo/billing/").content.decode()
    assert "has not committed on 2 partitions" in page


def test_a_partition_that_does_not_answer_is_unknown_and_not_empty(viewer: Client) -> None:
    shop = Shop(now())
    shop.world.watermarks(shop.topic, [None, 3_000], low=[None, 0], ago=0)
    page = viewer.get("/groups/demo/billing/?tab=partitions").content.decode()
    silent, known = (re.search(rf'data-key="orders.created/{number}">(.*?)</tr>', page, re.DOTALL) for number in (0, 1))
    assert silent
    assert known
    assert "nothing in it" not in silent[1]
    assert silent[1].count(">?<") >= 5  # lag, its age, both ends and what was lost
    assert ">?<" not in known[1]


def test_the_verdict_of_the_heading_is_the_worst_one_in_its_own_words(viewer: Client) -> None:
    shop = Shop(now())
    refunds = shop.world.topic("refunds")
    shop.world.watermarks(refunds, [9_000, 0], ago=0)
    shop.world.committed(refunds, shop.group, [10, 0], ago=0, lag=8_990)
    run("update group_now set verdict = 'SLOW', n_judged = 1, lag_seconds = 7200 where topic_id = %s", refunds)
    page = viewer.get("/groups/demo/billing/").content.decode()
    standing = page[page.index('id="standing"') : page.index('<nav class="tabs"')]
    assert "<b>STALLED</b> on 1 of 2 partitions of" in standing
    assert "no progress with events waiting on 1 partition" in standing
    assert "SLOW" not in standing
    assert re.search(r"<dt>Lag on .*refunds.*</dt>", standing)


def test_a_group_that_is_gone_is_not_said_to_have_never_committed(viewer: Client) -> None:
    shop = Shop(now())
    run("update consumer_group set state = 'Dead' where id = %s", shop.group)
    run("insert into group_gone select topic_id, group_id, %s from group_now", shop.at - timedelta(minutes=1))
    run("delete from group_now")
    page = viewer.get("/groups/demo/billing/").content.decode()
    assert "is gone: Kafka knows no such group any more" in page
    assert "has never committed" not in page
    assert "It reads orders.created no more." in page
    silent = viewer.get("/groups/demo/sink/").content.decode()
    assert "lag not readable" in silent


def test_a_rewind_is_told_with_how_far_and_when(viewer: Client) -> None:
    shop = Shop(now())
    run("update group_now set verdict = 'REWOUND', n_judged = 1")
    mark = "insert into change_mark (at, kind, topic_id, group_id, before, after) values (%s, 5, %s, %s, %s, %s)"
    other = shop.world.topic("other")
    run(mark, shop.at - timedelta(minutes=2), shop.topic, shop.group, '{"1": 14400}', '{"1": 2000}')
    run(mark, shop.at - timedelta(minutes=1), other, shop.group, '{"0": 9}', '{"0": 1}')
    page = viewer.get("/groups/demo/billing/").content.decode()
    standing = page[page.index('id="standing"') : page.index('<nav class="tabs"')]
    assert "<b>REWOUND</b> on 1 of 2 partitions of" in standing
    assert re.search(r"\(<bdi>billing went back 12,400 on orders.created</bdi>, <time", standing)


def test_in_the_past_what_is_only_known_of_now_says_so(viewer: Client) -> None:
    at = now()
    Shop(at)
    then = {
        "from": f"{at - timedelta(minutes=6):%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{at - timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}",
    }
    page = viewer.get("/groups/demo/billing/", then).content.decode()
    assert "<dt>Members now</dt>" in page
    assert "<dt>State now</dt>" in page
    assert "Members are those of now." in viewer.get("/groups/", then).content.decode()
    assert "PAST" not in page
    assert "at the pace of the window's last minute" in page
    assert "PAST" not in viewer.get("/topics/demo/orders.created/", then).content.decode()
    assert "as they are now" in viewer.get("/groups/demo/billing/", {**then, "tab": "members"}).content.decode()
    partitions = viewer.get("/topics/demo/orders.created/", {**then, "tab": "partitions"}).content.decode()
    assert re.search(r"as of <time[^>]*>[^<]*</time>; who led is not kept", partitions)
    partitions = viewer.get("/groups/demo/billing/", {**then, "tab": "partitions"}).content.decode()
    assert "members as they are now" in partitions


@pytest.mark.parametrize("path", ["/groups/", "/groups/demo/billing/", "/topics/", "/topics/demo/orders.created/"])
def test_a_page_says_where_its_numbers_are_not_of_just_its_window(viewer: Client, path: str) -> None:
    Shop(now())
    assert "one sample a minute is kept." in viewer.get(f"{path}?from=now-6h").content.decode()
    part = viewer.get(f"{path}?from=now-6h", headers={"X-Weir-Part": "fresh"}).content.decode()
    assert "one sample a minute is kept." in part
    assert "one sample a minute is kept." not in viewer.get(path).content.decode()


def test_what_retention_took_is_said_and_not_counted_as_lag(viewer: Client) -> None:
    Shop(now())
    run("update group_now set lost = 840, lag = 0, verdict = 'OK'")
    page = viewer.get("/groups/demo/billing/").content.decode()
    assert "840 offsets were deleted unread" in page


def test_charts_and_standing_follow_by_themselves(viewer: Client) -> None:
    Shop(now())
    charts = viewer.get("/groups/demo/billing/", headers={"X-Weir-Part": "charts"}).json()
    assert {"ages", "lags", "rates", "marks", "captions", "folded_at", "scanned_at"} == set(charts)
    assert set(charts["captions"]) == {"ages", "lags", "rates"}
    part = viewer.get("/groups/demo/billing/", headers={"X-Weir-Part": "fresh"}).content.decode()
    assert part.startswith('<div id="standing"')
    assert "<b>STALLED</b> on 1 of 2 partitions" in part
    assert "<html" not in part
    for tab, ids in (("lag", {"standing", "topics", "changes"}), ("partitions", {"standing", "partitions"}),
                     ("members", {"standing", "members"}), ("history", {"standing", "changes"})):  # fmt: skip
        part = viewer.get(f"/groups/demo/billing/?tab={tab}", headers={"X-Weir-Part": "fresh"}).content.decode()
        moving = {"standing", "topics", "partitions", "members", "changes"}
        assert set(re.findall(r'id="(\w+)"', part)) & moving == ids, tab


def test_of_very_many_partitions_only_those_shown_are_read_and_the_furthest_behind_have_seconds(
    viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    shop = Shop(now())
    wide = shop.world.topic("wide")
    for ago in (300, 200, 100, 0):
        shop.world.watermarks(wide, [10_000 - 10 * ago] * 3_000, ago=ago)
        committed: list[int | None] = [9_000 - 10 * ago - number % 7 for number in range(3_000)]
        committed[2_345] = 8_000 - 10 * ago
        shop.world.committed(wide, shop.group, committed, ago=ago, lag=3_000_000)
    page = group("demo", "billing", window(shop.at), now=shop.at)
    assert page is not None
    assert page.n_partitions == 3_002
    assert len(page.partitions) == 1_000
    first, last = page.partitions[0], page.partitions[-1]
    assert (first.topic, first.partition, first.lag) == ("wide", 2_345, 2_000)
    assert first.age is not None
    assert first.age.seconds == pytest.approx(200, abs=1)
    assert last.age is None
    assert sum(1 for each in page.partitions if each.topic == "wide" and each.age) == MOST_AGES
    text = viewer.get("/groups/demo/billing/?tab=partitions").content.decode()
    assert "The 1,000 furthest behind of 3,002" in text
    with django_assert_max_num_queries(30):
        viewer.get("/groups/demo/billing/?tab=members")
