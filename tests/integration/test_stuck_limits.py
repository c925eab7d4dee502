"""What is usual, learned into tables; limits that people set instead; what is stuck by them."""

import tomllib

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from collector.config import declared
from collector.config.document import read
from collector.domain import histograms
from collector.domain.durations import seconds_of
from collector.store import leaf_statistics, usual_hops, usual_waits
from collector.tasks import learn_usual_hops
from dashboard.queries.events import event
from dashboard.queries.expected import expected
from dashboard.queries.stuck import limits, stuck_events
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import audit_rows, person, signed_in

pytestmark = pytest.mark.django_db
BILLING = {"topic": "topic:demo/orders.created", "who": "group:demo/billing"}
PAYMENTS = {
    "topic": "topic:demo/orders.created",
    "who": "service:billing-svc",
    "next_topic": "payments.captured",
}


@pytest.fixture
def world() -> PathWorld:
    """Billing reads 40 orders within 2 s each; the 41st has waited for 20 s."""
    found = PathWorld()
    found.begin(now())
    found.span((1, 1), PROCESS, "orders.created", "billing-svc", at=-100, place=(0, 1), group="billing")
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence, n_wait, wait)"
            " select date_trunc('minute', %s::timestamptz), id, 40, 0, 0, 40, 1, 40, %s from edge where kind = 2",
            [found.after(0), histograms.encoded(histograms.counted([2_000.0] * 40))],
        )
    found.record("orders.created", (0, 41), at=-20)
    found.committed("orders.created", "billing", [41], at=-1)
    usual_waits.learn(now=found.after(0))
    return found


def addresses() -> list[str]:
    return [event.address for each in stuck_events(limits(), now=now()) for event in each.events]


def test_what_a_group_has_not_read_within_its_usual_time_is_stuck(
    world: PathWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        (limit,) = limits()
    assert (limit.who, limit.n, limit.set_seconds) == ("group:demo/billing", 40, None)
    assert limit.usual_seconds == pytest.approx(2.0, rel=histograms.WORST_ERROR)
    with django_assert_num_queries(3 + 2):
        assert [each.n for each in stuck_events([limit], now=now())] == [1]
    assert addresses() == ["orders.created/0/41"]
    page = event("demo", "orders.created", 0, 41)
    assert page is not None
    (missing,) = expected(page.path, now=now())
    assert (missing.name, missing.late, missing.is_set) == ("billing", True, False)


def test_what_was_read_meanwhile_is_not_stuck(world: PathWorld) -> None:
    world.span((2, 1), PROCESS, "orders.created", "billing-svc", at=-2, place=(0, 41), group="billing")
    assert addresses() == []


def test_a_usual_time_that_no_reading_supports_any_more_is_forgotten(world: PathWorld) -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from edge_1m")
    assert usual_waits.learn(now=world.after(60)) == 0
    assert limits() == []
    assert addresses() == []


def test_a_limit_that_somebody_set_counts_instead(world: PathWorld) -> None:
    operator = signed_in(person("olga", "operator"))
    answer = operator.post("/events/limits/", {**BILLING, "limit": "1 h"})
    assert answer.headers["Location"] == "/events/?view=stuck#limits"
    assert addresses() == []
    html = operator.get("/events/", {"view": "stuck"}).content.decode()
    assert "Nothing is stuck." in html
    assert "<b>1 h</b>" in html
    assert "set by <bdi>olga</bdi>" in html
    operator.post("/events/limits/", {**BILLING, "limit": "500 ms"})
    assert addresses() == ["orders.created/0/41"]
    page = event("demo", "orders.created", 0, 41)
    assert page is not None
    (missing,) = expected(page.path, now=now())
    assert (missing.within_seconds, missing.is_set) == (0.5, True)
    operator.post("/events/limits/", {**BILLING, "clear": "1"})
    assert [limit.set_seconds for limit in limits()] == [None]
    assert audit_rows("action", "object", "result", actions=["set stuck limit", "clear stuck limit"]) == [
        ("set stuck limit", "topic:demo/orders.created group:demo/billing", "done"),
        ("set stuck limit", "topic:demo/orders.created group:demo/billing", "done"),
        ("clear stuck limit", "topic:demo/orders.created group:demo/billing", "done"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {**BILLING, "limit": "30"},
        {**BILLING, "limit": "30 d"},
        {**BILLING, "limit": "soon"},
        {**BILLING, "who": "group:demo/nobody", "limit": "30 s"},
        {**BILLING, "who": "group:other/billing", "limit": "30 s"},
        {**BILLING, "who": "topic:demo/orders.created", "limit": "30 s"},
        {**BILLING, "topic": "orders.created", "limit": "30 s"},
        {**PAYMENTS, "limit": "10 min"},
        {**PAYMENTS, "next_topic": "", "limit": "30 s"},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(world: PathWorld, fields: dict[str, str]) -> None:
    assert signed_in(person("olga", "operator")).post("/events/limits/", fields).status_code == 400
    assert [limit.set_seconds for limit in limits()] == [None]


def test_a_viewer_sets_no_limit_and_is_told_who_may(world: PathWorld) -> None:
    viewer = signed_in(person("vera", "viewer"))
    assert viewer.post("/events/limits/", {**BILLING, "limit": "1 h"}).status_code == 403
    html = viewer.get("/events/", {"view": "stuck"}).content.decode()
    assert "Setting limits needs the operator role." in html
    assert "Change" not in html


def test_a_limit_for_what_follows_counts_when_readings_are_looked_at(client: Client) -> None:
    world = PathWorld()
    world.begin(now())
    for number in range(1, 61):
        world.span((number, 1), PROCESS, "orders.created", "billing-svc", at=-100 + number / 10, place=(0, number))
        if number != 33:
            world.span((number, 2), SEND, "payments.captured", "billing-svc", at=-99.5 + number / 10, parent=1)
    usual_hops.learn(now=world.after(0))
    operator = signed_in(person("olga", "operator"))
    assert operator.post("/events/limits/", {**PAYMENTS, "limit": "4 min"}).status_code == 302
    with connection.cursor() as cursor:
        cursor.execute("delete from stuck_reading")
    assert usual_hops.learn(now=world.after(0)) == 0
    assert usual_hops.learn(now=world.after(200)) == 1
    (stuck,) = stuck_events(limits(), now=world.after(200))
    assert (stuck.limit.set_seconds, stuck.limit.next_topic) == (240.0, "payments.captured")


def declare(text: str) -> tuple[str, ...]:
    """Apply a settings file; the lines of what changed."""
    body = tomllib.loads(text)
    assert read(body)[1] == ()
    with transaction.atomic():
        return tuple(line for change in declared.replace(body, by="ada", now=now()) for line in change.lines)


FILE = '[stuck.slow]\ntopic = "orders.created"\ngroup = "billing"\nafter = "1 h"\n'


def test_a_settings_file_declares_limits_that_a_page_shows_and_does_not_change(world: PathWorld) -> None:
    operator = signed_in(person("olga", "operator"))
    operator.post("/events/limits/", {**BILLING, "limit": "2 h"})
    assert declare(FILE) == ("+ [stuck.slow]",)
    (limit,) = limits()
    assert (limit.set_seconds, limit.declared, limit.set_by) == (3_600.0, "slow", "the settings file")
    assert addresses() == []
    html = operator.get("/events/", {"view": "stuck"}).content.decode()
    assert "[stuck.<bdi>slow</bdi>]" in html
    assert "Change" not in html
    for fields in ({"limit": "5 s"}, {"clear": "1"}):
        answer = operator.post("/events/limits/", {**BILLING, **fields})
        assert answer.status_code == 400
        assert "in [stuck.slow]: change it there" in answer.content.decode()
    assert declare(FILE.replace("1 h", "500 ms")) == ("~ [stuck.slow]", '    after: "1 h" → "500 ms"')
    assert addresses() == ["orders.created/0/41"]
    assert declare("") == ("- [stuck.slow]",)
    assert [each.set_seconds for each in limits()] == [None]


def test_a_declared_limit_counts_once_what_it_names_is_known(world: PathWorld) -> None:
    declare('[stuck.later]\ntopic = "orders.created"\ngroup = "auditing"\nafter = "30 s"\ncluster = "demo"\n')
    assert [each.declared for each in limits()] == [None]
    world.committed("orders.created", "auditing", [41], at=-1)
    learn_usual_hops()
    assert [(each.name, each.set_seconds) for each in limits() if each.declared == "later"] == [("auditing", 30.0)]
    set_at = [each.set_at for each in limits() if each.declared]
    learn_usual_hops()
    assert [each.set_at for each in limits() if each.declared] == set_at


def test_a_declared_limit_may_be_for_what_a_service_sends() -> None:
    world = PathWorld()
    world.begin(now())
    world.span((1, 1), PROCESS, "orders.created", "billing-svc", at=-9, place=(0, 1))
    world.span((1, 2), SEND, "payments.captured", "billing-svc", at=-8, parent=1)
    declare(
        '[stuck.pay]\ntopic = "orders.created"\nservice = "billing-svc"\nnext_topic = "payments.captured"\n'
        'after = "4 min"\n'
    )
    (limit,) = limits()
    assert (limit.who, limit.next_topic, limit.set_seconds) == ("service:billing-svc", "payments.captured", 240.0)


@pytest.mark.usefixtures("clean_tables")
def test_open_leaves_are_counted_once_they_have_grown() -> None:
    world = PathWorld()
    world.span((1, 1), SEND, "lines", "shop", place=(0, 1))
    with connection.cursor() as cursor:
        cursor.execute("select tableoid::regclass::text from span limit 1")
        leaf = cursor.fetchone()[0]
        cursor.execute(
            "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
            " values ('span', %s, '2000-01-01Z', '2100-01-01Z') on conflict do nothing",
            [leaf],
        )
        cursor.execute(f"insert into {leaf} select s.* from span s, generate_series(1, 12000) n")
        cursor.execute("select pg_stat_force_next_flush()")
        found = leaf_statistics.refresh()
        cursor.execute("select reltuples from pg_class where oid = %s::regclass", [leaf])
        assert (leaf in found, cursor.fetchone()[0]) == (True, 12001)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30 s", 30.0), ("500ms", 0.5), ("3 min 10 s", 190.0), ("1.5 h", 5400.0), ("2 d", 172_800.0)],
)
def test_a_time_with_its_unit_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "30 weeks", "1 s 2 s 3 s", "-3 s", "١ s", "9999999 s"])
def test_anything_else_is_no_time(text: str) -> None:
    assert seconds_of(text) is None
