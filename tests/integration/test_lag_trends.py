"""Since when a lag grows: what samples tell, on the pages of groups and topics."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from dashboard.queries import lag_trends
from dashboard.queries.lag_trends import Since, trends_since
from dashboard.queries.window import Window, parse
from dashboard.queries.wire import iso
from dashboard.templatetags.standing import trend_since, trend_words
from tests.integration.graph_world import World
from tests.integration.people import bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)


def window(at: datetime = AT) -> Window:
    return parse("now-15m", "now", now=at)


class Shop:
    """40 records a second on two partitions, of which billing has read nothing since `stopped`, in seconds ago."""

    def __init__(self, at: datetime = AT, *, stopped: float = 600, begun: int = 1_200, every: int = 10) -> None:
        self.at = at
        self.world = world = World(at)
        self.topic, self.group = world.topic("orders"), world.group("billing")
        for ago in range(begun, -1, -every):
            world.scanned(ago=ago)
            written = (begun - ago) * 20
            read = min(written, int((begun - stopped) * 20))
            world.watermarks(self.topic, [written, written], ago=ago)
            world.committed(self.topic, self.group, [read, read], ago=ago, lag=2 * (written - read))

    def since(self, growth: float | None = 40.0) -> Since | None:
        return trends_since("demo", self.topic, {self.group: growth}, window(self.at), now=self.at).get(self.group)


def test_a_group_that_stopped_falls_behind_since_then(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop = Shop()
    with django_assert_num_queries(4):
        found = shop.since()
    assert found == Since(AT - timedelta(seconds=600), 600, is_known=True)


def test_of_a_group_that_keeps_up_nothing_is_read(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shop = Shop()
    with django_assert_num_queries(0):
        assert shop.since(growth=0.1) is None
        assert shop.since(growth=None) is None


def test_what_grew_for_longer_than_an_hour_is_looked_for_in_a_day(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = Shop(stopped=7_200, begun=10_800, every=60)
    with django_assert_num_queries(7):
        found = shop.since()
    assert found == Since(AT - timedelta(seconds=7_200), 7_200, is_known=True)


def test_what_grew_as_long_as_anybody_looked_is_at_least_so_old() -> None:
    assert Shop(stopped=1_200).since() == Since(AT - timedelta(seconds=1_200), 1_200, is_known=False)


def test_what_stands_still_is_no_row_and_yet_known() -> None:
    """A group that stopped commits nothing: its last sample is of then."""
    shop = Shop()
    with connection.cursor() as cursor:
        cursor.execute("delete from group_sample where sampled_at > %s", [AT - timedelta(seconds=600)])
    assert shop.since() == Since(AT - timedelta(seconds=600), 600, is_known=True)


def test_behind_a_gap_of_the_sampler_nothing_is_known() -> None:
    shop = Shop(stopped=900)
    with connection.cursor() as cursor:
        for table in ("scan", "topic_sample", "group_sample"):
            cursor.execute(
                f"delete from {table} where sampled_at > %s and sampled_at < %s",
                [AT - timedelta(seconds=800), AT - timedelta(seconds=500)],
            )
    assert shop.since() == Since(AT - timedelta(seconds=500), 500, is_known=False)


def test_of_very_many_partitions_less_is_read_and_what_is_said_stays_true(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(stopped=900)
    monkeypatch.setattr(lag_trends, "MOST_ENDS", 4 * 12)  # 12 steps of two partitions, written and read
    found = shop.since()
    assert found is not None
    assert not found.is_known
    assert 540 <= found.seconds <= 720
    monkeypatch.setattr(lag_trends, "MOST_ENDS", 1)
    assert shop.since() is None


def test_of_very_many_groups_those_are_told_whose_lag_changes_fastest() -> None:
    shop = Shop()
    others = {shop.world.group(f"g{number}"): 1.0 + number for number in range(lag_trends.MOST_GROUPS)}
    growths = {**others, shop.group: 40.0}
    assert list(trends_since("demo", shop.topic, growths, window(), now=AT)) == [shop.group]
    growths[shop.group] = 0.6  # the slowest of nine
    assert trends_since("demo", shop.topic, growths, window(), now=AT) == {}


def test_in_the_past_it_is_told_as_of_then() -> None:
    shop = Shop(stopped=900)
    then = Window(AT - timedelta(minutes=20), AT - timedelta(minutes=5), live=False)
    found = trends_since("demo", shop.topic, {shop.group: 40.0}, then, now=AT)[shop.group]
    assert found == Since(AT - timedelta(seconds=900), 600, is_known=True)


@pytest.mark.parametrize("growth", [None, 0.0, 40.0])
def test_a_trend_without_a_beginning_is_said_as_before(growth: float | None) -> None:
    assert "since" not in trend_words(growth, None)
    assert trend_since(growth, None) == trend_since(growth, {}, 7)


def test_a_trend_is_said_with_its_beginning() -> None:
    known, open_ended = Since(AT, 60, is_known=True), Since(AT, 900, is_known=False)
    words = re.sub(r"<[^>]*>", "", trend_words(41.0, known))
    assert words == "growing 41/s since 23 Nov 14:00 UTC"
    assert trend_words(-3.0, open_ended) == "falling 3.0/s for at least 15 min"
    assert 'title="growing for at least 15 min"' in trend_since(3.0, {7: open_ended}, 7)
    assert 'title="falling since 23 Nov 14:00 UTC"' in trend_since(-3.0, known)


def test_the_pages_say_since_when() -> None:
    shop = Shop(now())
    began = f"{shop.at - timedelta(seconds=600):%H:%M} UTC"
    viewer = signed_in(person("vera", "viewer"))
    group = viewer.get("/groups/demo/billing/").content.decode()
    standing = re.sub(r"<[^>]*>", "", group[group.index("<dt>Trend") : group.index("<dt>Done")])
    assert standing.startswith("Trendgrowing 40/s since ")
    assert began in standing
    assert f"{began}" in group[group.index('id="topics"') :]
    topic = viewer.get("/topics/demo/orders/").content.decode()
    assert re.search(rf'title="growing since [^"]*{began}"', topic)
    fresh = viewer.get("/topics/demo/orders/", headers={"X-Weir-Part": "fresh"}).content.decode()
    assert re.search(rf'title="growing since [^"]*{began}"', fresh)


def test_the_api_says_since_when() -> None:
    shop = Shop(now())
    headers = bearer(token_of(person("vera", "viewer"), "read"))
    began = {"at": iso(shop.at - timedelta(seconds=600)), "is_known": True}
    group = Client().get("/api/v1/groups/demo/billing", headers=headers).json()
    assert (group["worst_topic"], group["trend_since"]) == ("topic:demo/orders", began)
    (reader,) = Client().get("/api/v1/topics/demo/orders", headers=headers).json()["groups"]
    assert (reader["trend"] > 1, reader["trend_since"]) == (True, began)
