"""Services as a list and as pages: what goes in and out, how long it takes, under which version, and what failed."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from collector.domain import histograms
from dashboard.queries.marks import marks_of_service
from dashboard.queries.service import number_of, service
from dashboard.queries.service_events import instances, newest, sightings
from dashboard.queries.service_series import service_series
from dashboard.queries.services import services
from dashboard.queries.window import Window, parse
from tests.integration.graph_world import World
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 20, 0, tzinfo=UTC)
Value = str | int | float | datetime | bytes | None


def run(sql: str, *values: Value) -> int:
    """The number that a statement returns, 0 where it returns none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone() if cursor.description else None
    return int(row[0]) if row else 0


class Shop:
    """billing-svc reads orders.created as `billing`, and was deployed anew 12 minutes ago: it got slow, and fails."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.world = world = World(at)
        self.orders, self.paid = world.topic("orders.created"), world.topic("payments.captured")
        self.group, audit = world.group("billing"), world.group("audit")
        self.service = world.service("billing-svc")
        self.reads = world.edge(2, self.service, self.orders, self.group)
        self.writes = world.edge(1, self.service, self.paid)
        run("update service set first_at = %s where id = %s", at - timedelta(days=9), self.service)
        self.came = at - timedelta(minutes=12, seconds=23)
        self.old = self.version("2.7.3", at - timedelta(days=3), self.came - timedelta(seconds=20))
        self.new = self.version("2.8.0", self.came, at)
        for ago in (700, 60, 0):
            world.scanned(ago=ago)
        for ago in (700, 60, 0):
            world.watermarks(self.orders, [7000 - ago * 10, 0], ago=ago)
            world.committed(self.orders, self.group, [6000 - ago * 5, 0], ago=ago, lag=1000)
            world.committed(self.orders, audit, [7000 - ago * 10, 0], ago=ago)
        for ago in range(890, 0, -10):
            world.counted(self.reads, 50, ago=ago, errors=5 if ago < 700 else 0)
            world.counted(self.writes, 45, ago=ago)

    def version(self, name: str, first_at: datetime, last_at: datetime) -> int:
        return run(
            "insert into service_version (service_id, version, first_at, last_at) values (%s, %s, %s, %s) returning id",
            self.service, name, first_at, last_at,
        )  # fmt: skip

    def timed(self, milliseconds: float, n: int, *, ago: float) -> None:
        """`n` readings of this length in the minute `ago` seconds ago."""
        at = (self.at - timedelta(seconds=ago)).replace(second=0, microsecond=0)
        run(
            "insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, processing)"
            " values (%s, %s, %s, 0, 0, 0, 1, %s) on conflict (bucket_at, edge_id) do update"
            " set processing = excluded.processing",
            at, self.reads, n, histograms.encoded(histograms.counted([milliseconds] * n)),
        )  # fmt: skip

    def span(self, offset: int, *, source: int, ms: float = 100, status: int = 0, op: int = 3, edge: int = 0) -> None:
        run(
            "insert into span (trace_id, span_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,"
            " edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op) values (gen_random_uuid(), 1,"
            " %s, %s, %s, %s, %s, 0, %s, %s, 0, 0, 1, 0, %s, %s)",
            self.at - timedelta(seconds=200 - offset), self.at - timedelta(seconds=5), offset, ms, source,
            edge or self.reads, self.orders if (edge or self.reads) == self.reads else self.paid, status, op,
        )  # fmt: skip

    def source(self, version: int, instance: str) -> int:
        return run("insert into source (service_version_id, instance) values (%s, %s) returning id", version, instance)


def window(at: datetime = AT) -> Window:
    return parse("now-15m", "now", now=at)


def test_the_list_has_every_service_and_the_groups_that_none_explains(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    shop.world.service("sleeper-svc")
    with django_assert_num_queries(11):
        found = services(window(), now=AT)
    audit, billing, sleeper = found.items
    assert (found.n_all, found.n_traced, found.n_guessed, found.truncated) == (3, 2, 1, False)
    assert (billing.name, billing.version, billing.version_since, billing.n_versions) == (
        "billing-svc", "2.8.0", shop.came, 1,
    )  # fmt: skip
    assert billing.rate_in == pytest.approx(5)
    assert billing.rate_out == pytest.approx(4.5)
    assert billing.failed == pytest.approx(350 / (4450 + 4005), rel=0.05)
    assert (billing.lag, billing.health, billing.evidence) == (1000, "failing", ("traced", "offsets"))
    assert (audit.name, audit.guessed, audit.failed, audit.version) == ("audit", True, None, "")
    assert billing.coverage is not None
    assert billing.coverage.ratio == pytest.approx(4450 / 6000, rel=0.05)
    assert audit.coverage is not None
    assert (audit.coverage.traced, audit.coverage.ratio) == (0, 0.0)
    assert sleeper.coverage is None
    assert (sleeper.health, sleeper.rate_in, sleeper.failed, sleeper.last_at) == ("idle", None, None, None)
    assert [row.name for row in services(window(), now=AT, after=billing.id).items] == ["sleeper-svc"]


def test_a_service_is_measured_since_its_version_came_and_against_the_hour_before(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    shop.timed(140, 400, ago=900)  # both within the window, before the deploy
    shop.timed(140, 400, ago=1800)
    shop.timed(9000, 400, ago=8000)  # more than an hour before it
    shop.timed(9000, 400, ago=12.5 * 60)  # the minute in which it came belongs to nobody
    shop.timed(1200, 100, ago=300)
    with django_assert_num_queries(18):
        page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert page.comparison is not None
    assert page.comparison.now.version.name == "2.8.0"
    assert page.comparison.now.took.n == 100
    assert page.comparison.now.took.p95 == pytest.approx(1.2, rel=0.05)
    assert page.comparison.before.took.n == 800
    assert page.comparison.before.took.p95 == pytest.approx(0.14, rel=0.05)
    assert page.comparison.now.beside == ()


def test_too_few_readings_and_a_second_version_at_the_same_time_are_said() -> None:
    shop = Shop()
    shop.timed(1200, 19, ago=300)
    run("update service_version set last_at = %s where id = %s", AT, shop.old)
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert page.comparison is not None
    assert (page.comparison.now.took.n, page.comparison.now.took.p95) == (19, None)
    assert (page.comparison.before.took.n, page.comparison.before.took.p95) == (0, None)
    assert page.comparison.now.beside == ("2.7.3",)
    assert [row.version.name for row in page.running] == ["2.8.0", "2.7.3"]


def test_what_it_reads_and_writes_stands_with_group_lag_and_evidence_also_when_it_rests() -> None:
    shop = Shop()
    resting = shop.world.topic("refunds")
    shop.world.edge(2, shop.service, resting)
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    busy, rests = page.reads
    assert busy.edge is not None
    assert (busy.topic.name, busy.group, busy.edge.evidence) == ("orders.created", "billing", ("traced", "offsets"))
    assert busy.behind is not None
    assert busy.behind.lag == 1000
    assert busy.failed == pytest.approx(0.078, abs=0.003)
    assert (rests.topic.name, rests.group, rests.edge, rests.failed) == ("refunds", "", None, None)
    assert [side.topic.name for side in page.writes] == ["payments.captured"]
    assert service("nobody", window(), now=AT) is None


def test_of_very_many_topics_the_busiest_are_shown_and_all_are_counted(viewer: Client) -> None:
    shop = Shop(now())
    for number in range(210):
        topic = shop.world.topic(f"refunds.{number:03}")
        shop.world.edge(2, shop.service, topic)
        if number < 201:
            shop.world.edge(1, shop.service, topic)
    page = service("billing-svc", window(shop.at), now=shop.at)
    assert page is not None
    assert (len(page.reads), page.n_reads, len(page.writes), page.n_writes) == (200, 211, 200, 202)
    assert (page.reads[0].topic.name, page.writes[0].topic.name) == ("orders.created", "payments.captured")
    text = viewer.get("/services/billing-svc/").content.decode()
    assert "The 200 busiest of 211." in text
    assert "The 200 busiest of 202." in text
    assert "205 more →" in text
    answer = Client().get("/api/v1/services/billing-svc", headers=bearer(token_of(person("olga", "operator"), "read")))
    assert (answer.json()["n_reads"], len(answer.json()["reads"])) == (211, 200)


def test_dead_letters_of_its_groups_are_its_failures() -> None:
    shop = Shop()
    mine, other = (
        run(
            "insert into failure_group (group_id, topic_id, title, first_at, last_at)"
            " values (%s, %s, %s, %s, %s) returning id",
            group, shop.orders, title, AT, AT,
        )
        for group, title in ((shop.group, "CardDeclined"), (shop.world.group("else"), "Other"))
    )  # fmt: skip
    for number, status, n in ((mine, 0, 4812), (mine, 3, 8), (other, 0, 7)):
        run(
            "insert into failure_count (failure_group_id, topic_id, status, n) values (%s, %s, %s, %s)",
            number, shop.orders, status, n,
        )  # fmt: skip
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert [(group.title, group.n_open, group.n_all) for group in page.failures] == [("CardDeclined", 4812, 4820)]
    assert page.n_dead_letters == 4812
    assert {row.name: row.n_dead_letters for row in services(window(), now=AT).items} == {
        "audit": 0, "billing-svc": 4812,
    }  # fmt: skip
    for number in range(11):
        small = run(
            "insert into failure_group (group_id, topic_id, title, first_at, last_at)"
            " values (%s, %s, %s, %s, %s) returning id",
            shop.group, shop.orders, f"Small{number}", AT, AT,
        )  # fmt: skip
        run(
            "insert into failure_count (failure_group_id, topic_id, status, n) values (%s, %s, 0, 1) returning n",
            small, shop.orders,
        )  # fmt: skip
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert (len(page.failures), page.n_dead_letters) == (10, 4812 + 11)


def test_a_service_that_went_quiet_is_told_from_what_is_usual_for_it() -> None:
    shop = Shop()
    run("delete from edge_10s")
    for hours in range(1, 20):
        shop.world.counted(shop.reads, 1800, ago=hours * 3600, table="edge_1h")
    shop.world.counted(shop.reads, 30, ago=26 * 60, table="edge_1m")
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert page.silence.last_at == AT - timedelta(minutes=26)
    assert page.silence.usual_seconds == pytest.approx(2, rel=0.1)
    assert page.is_silent
    shop.world.counted(shop.reads, 1, ago=20)
    page = service("billing-svc", window(), now=AT)
    assert page is not None
    assert (page.silence.last_at, page.is_silent) == (AT - timedelta(seconds=20), False)


def test_the_charts_break_where_nothing_is_known_and_are_0_where_nothing_came(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    run(
        "delete from edge_10s where bucket_at between %s and %s",
        AT - timedelta(seconds=300),
        AT - timedelta(seconds=200),
    )
    for ago in range(310, 225, -5):
        shop.world.scanned(ago=ago)  # from then on until the next span Weir was down
    shop.timed(1200, 30, ago=120)
    with django_assert_num_queries(3):
        lines = service_series(
            shop.service, window(), first_at=AT - timedelta(minutes=14), as_of=AT - timedelta(seconds=25), now=AT
        )
    reads, writes = lines.rates
    assert len(lines.at) == len(reads.values) == 90
    assert lines.at[-1] == AT
    assert set(reads.values[:6]) == {None}  # nobody knew the service yet
    assert reads.values[-4:] == (5.0, None, None, None)  # not folded yet
    assert reads.values[60:67] == (0.0,) * 7
    assert reads.values[68:70] == (None, None)
    assert writes.values[50] == 4.5
    p50, p95 = lines.processing
    assert [index for index, value in enumerate(p95.values) if value is not None] == list(range(78, 84))
    assert p50.values[80] == pytest.approx(1.2, rel=0.05)
    assert lines.failed[0].values[-4:] == (0.1, None, None, None)
    assert lines.failed[0].values[65] is None  # nothing came, so nothing failed or did not


def test_minutes_and_ten_seconds_make_one_line_without_counting_twice() -> None:
    shop = Shop()
    run("insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
        " select date_trunc('minute', bucket_at), edge_id, sum(n), sum(n_error), 0, 0, 1 from edge_10s"
        " group by 1, 2")  # fmt: skip
    lines = service_series(
        shop.service, parse("now-1h", "now", now=AT), first_at=AT - timedelta(days=1), as_of=AT, now=AT
    )
    assert lines.step_seconds == 60
    assert lines.rates[0].values[46:59] == (5.0,) * 13


def test_instances_are_told_by_the_newest_spans_of_each_partition(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    slow, quick, idle = (shop.source(shop.new, name) for name in ("pod-a", "pod-b", "pod-c"))
    for offset in range(0, 60, 2):
        shop.span(offset, source=slow, ms=1200, status=2 if offset == 4 else 0)
    for offset in range(1, 21, 2):
        shop.span(offset, source=quick)
    shop.span(59, source=quick, op=2)
    shop.span(3, source=quick, op=1, edge=shop.writes)
    with django_assert_num_queries(2 + 2):
        found = sightings(shop.service, window())
    with django_assert_num_queries(1):
        first, second, third = instances(shop.service, found, versions=[shop.new])
    assert (first.name, first.n, first.p95) == ("pod-b", 10, None)
    assert (second.name, second.version, second.n, second.n_failed) == ("pod-a", "2.8.0", 30, 1)
    assert second.p95 == pytest.approx(1.2)
    assert (third.name, third.n, third.last_at) == ("pod-c", 0, None)
    rows = newest(found)
    assert (rows[0].address, rows[0].seconds, rows[0].wrote) == ("orders.created/0/59", None, False)
    assert [row.address for row in rows if row.wrote] == ["payments.captured/0/3"]
    assert idle


def test_changes_of_a_service_are_its_own_its_topics_and_its_groups(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop()
    other = shop.world.topic("other")
    mark = (
        "insert into change_mark (at, kind, topic_id, group_id, service_id, before, after)"
        " values (%s, %s, %s, %s, %s, %s, %s)"
    )
    for kind, topic, group, its, before, after in (
        (1, None, None, shop.service, "2.7.3", "2.8.0"),
        (3, shop.paid, None, None, "2", "4"),
        (6, None, shop.group, None, "1", "2"),
        (3, other, None, None, "2", "4"),
        (1, None, None, shop.world.service("other-svc"), "1", "2"),
    ):
        run(mark, AT - timedelta(minutes=5), kind, topic, group, its, before, after)
    with django_assert_num_queries(1):
        found = marks_of_service(shop.service, window())
    assert {each.sentence for each in found.items} == {
        "billing-svc 2.8.0 seen first (was 2.7.3)",
        "payments.captured has 4 partitions (had 2)",
        "billing rebalanced: 1 member before, 2 members after",
    }


@pytest.fixture
def viewer() -> Client:
    return signed_in(person("vera", "viewer"))


def test_the_pages_say_it_in_words(viewer: Client) -> None:
    shop = Shop(now())
    shop.timed(140, 400, ago=1800)
    shop.timed(1200, 100, ago=300)
    shop.span(7, source=shop.source(shop.new, "pod-a"))
    listed = viewer.get("/services/").content.decode()
    assert 'href="/services/billing-svc/"' in listed
    assert 'href="/groups/demo/audit/"' in listed
    assert "known only as group" in listed
    assert viewer.get("/services/?q=is:guessed").content.decode().count("<tr data-key=") == 1
    assert viewer.get("/services/?q=version:2.8*").content.decode().count("<tr data-key=") == 1
    assert viewer.get("/services/?q=-health:bad&sort=version").status_code == 200
    assert "No services match" in viewer.get("/services/?q=nobody").content.decode()
    page = viewer.get("/services/billing-svc/").content.decode()
    assert "<b>1.2 s</b> (was 140 ms before <bdi>2.8.0</bdi>)" in page
    assert "No dead letter names a group that it reads as." in page
    versions = viewer.get("/services/billing-svc/?tab=versions").content.decode()
    assert "2.7.3" in versions
    assert "pod-a" in versions
    events = viewer.get("/services/billing-svc/?tab=events").content.decode()
    assert "/events/demo/orders.created/0/7/" in events
    for span in ("from=now-24h", "from=now-7d", "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"):
        for tab in ("", "versions", "events"):
            assert viewer.get(f"/services/billing-svc/?tab={tab}&{span}").status_code == 200
    assert viewer.get("/services/nobody/").status_code == 404


def test_without_traces_the_list_says_what_to_set(viewer: Client) -> None:
    assert "No service yet" in viewer.get("/services/").content.decode()
    World(now())
    assert "No service sends traces yet." in viewer.get("/services/").content.decode()


def test_charts_and_standing_follow_by_themselves(viewer: Client) -> None:
    Shop(now())
    charts = viewer.get("/services/billing-svc/", headers={"X-Weir-Part": "charts"}).json()
    drawn = {"rates", "processing", "failed"}
    assert set(charts) == drawn | {"marks", "captions", "folded_at", "scanned_at"}
    assert set(charts["captions"]) == drawn
    part = viewer.get("/services/billing-svc/", headers={"X-Weir-Part": "fresh"}).content.decode()
    assert part.startswith('<div id="live"')
    assert "<html" not in part


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "billing-svc"), ("shop", "billing-svc"), ("a/b", "c/d?e#f%2F"), ("", "..")]
)
def test_a_service_of_any_name_has_an_address(viewer: Client, namespace: str, name: str) -> None:
    world = World(now())
    number = run("insert into service (namespace, name) values (%s, %s) returning id", namespace, name)
    world.edge(1, number, world.topic("t"))
    listed = viewer.get("/services/").content.decode()
    address = listed.split('scope="row"><a href="')[1].split('"')[0]
    answer = viewer.get(address)
    assert answer.status_code == 200
    assert viewer.get("/search", {"q": name}).headers["Location"] == address
    found = number_of(f"{namespace}/{name}" if namespace else name) if "/" not in namespace else None
    assert found is None or found[0] == number


def test_what_spans_tell_of_sends_is_called_attempted(viewer: Client) -> None:
    Shop(now())
    for address in ("/topics/demo/payments.captured/", "/services/billing-svc/"):
        page = viewer.get(address).content.decode()
        assert '<th scope="col" class="number">Attempted</th>' in page, address
        assert "those of a transaction that was aborted count, too." in page, address


def test_topics_groups_and_the_graph_lead_to_the_service(viewer: Client) -> None:
    Shop(now())
    for address in (
        "/topics/demo/orders.created/", "/groups/demo/billing/", "/topics/demo/payments.captured/",
        "/?sel=service:billing-svc",
    ):  # fmt: skip
        assert 'href="/services/billing-svc/"' in viewer.get(address).content.decode(), address


def test_the_api_answers_the_same() -> None:
    shop = Shop(now())
    shop.timed(1200, 100, ago=300)
    headers = bearer(token_of(person("olga", "operator"), "read"))
    listed = Client().get("/api/v1/services", {"limit": 1}, headers=headers).json()
    assert [row["name"] for row in listed["items"]] == ["audit"]
    assert listed["truncated"] is True
    rest = Client().get("/api/v1/services", {"after": listed["next"]}, headers=headers).json()
    assert [row["name"] for row in rest["items"]] == ["billing-svc"]
    found = Client().get("/api/v1/services/billing-svc", headers=headers).json()
    assert [(row["version"], row["is_running"]) for row in found["versions"]] == [("2.8.0", True), ("2.7.3", False)]
    assert found["versions"][0]["processing"]["n"] == 100
    assert found["versions"][1]["processing"] == {"n": 0, "p50": None, "p95": None}
    assert found["reads"][0]["edge"]["group"] == "group:demo/billing"
    assert len(found["series"]["at"]) == len(found["series"]["rates"][0]["values"])
    assert Client().get("/api/v1/services/nobody", headers=headers).status_code == 404


def test_coverage_is_the_share_of_what_its_groups_committed_that_has_spans(viewer: Client) -> None:
    shop = Shop(now())
    run("update edge_10s set n = 10 where edge_id = %s", shop.reads)
    row = next(row for row in services(window(shop.at), now=shop.at).items if row.name == "billing-svc")
    assert row.coverage is not None
    assert row.coverage.offsets == 6000
    assert row.coverage.ratio == pytest.approx(890 / 6000, rel=0.05)
    said = "15 %"
    assert f">{said}</span>" in viewer.get("/services/").content.decode()
    assert f"<dt>Coverage</dt><dd>{said}" in viewer.get("/services/billing-svc/").content.decode()
    headers = bearer(token_of(person("olga", "operator"), "read"))
    listed = Client().get("/api/v1/services", headers=headers).json()["items"]
    assert {each["name"]: each["coverage"] for each in listed}["audit"] == 0
    answer = Client().get("/api/v1/services/billing-svc", headers=headers).json()
    assert answer["coverage"] == pytest.approx(row.coverage.ratio, rel=0.1)
    run("update edge set group_id = null where id = %s", shop.reads)
    alone = next(row for row in services(window(shop.at), now=shop.at).items if row.name == "billing-svc")
    assert alone.coverage is None


def test_a_new_version_leads_to_what_flowed_before_and_after_it(viewer: Client) -> None:
    shop = Shop(now())
    came = f"{shop.came:%Y-%m-%dT%H:%M:%SZ}"
    for tab in ("flow", "versions"):
        page = viewer.get("/services/billing-svc/", {"tab": tab}).content.decode()
        (address,) = set(re.findall(r'href="(/\?from=[^"]*vs=[^"]*)"', page))
        asked = parse_qs(urlsplit(unescape(address)).query)
        assert (asked["from"], asked["vs"]) == ([came], [came]), tab
        assert shop.at - timedelta(minutes=1) < datetime.fromisoformat(asked["to"][0]) < now() + timedelta(minutes=1)
    answer = viewer.get(unescape(address))
    assert answer.status_code == 200
    assert "differences between" in answer.content.decode() or "No difference" in answer.content.decode()
    run("update service_version set first_at = %s where id = %s", shop.at - timedelta(seconds=20), shop.new)
    assert "vs=" not in viewer.get("/services/billing-svc/", {"tab": "versions"}).content.decode()  # too early to tell
