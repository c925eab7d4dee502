"""The lag of a target's groups while an operation runs, and what they have to spare before it does."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from collector.clock import now
from collector.retry import control
from collector.retry.records import Asker
from dashboard.queries.retry_lag import run_of, target_lag
from dashboard.queries.spare_capacity import spare
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.retry_world import RetryWorld, click

pytestmark = pytest.mark.usefixtures("clean_tables")
OLGA = Asker(7, "olga", "::1")


@pytest.fixture
def world() -> RetryWorld:
    return RetryWorld()


def scanned(world: RetryWorld, at: Any, *, high: int | None = None, committed: int | None = None) -> None:
    """A scan, and what had moved by then on the first partition."""
    rows(
        "insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms) select id, %s, true, 1, 1, 5"
        " from cluster returning 1", at,
    )  # fmt: skip
    if high is not None:
        rows(
            "insert into topic_sample (sampled_at, topic_id, high, low) values (%s, %s, %s, '{0,0}') returning 1",
            at, world.letters.orders, [high, 0],
        )  # fmt: skip
        rows("update topic_now set sampled_at = %s, high = %s returning 1", at, [high, 0])
    if committed is not None:
        rows(
            "insert into group_sample (sampled_at, topic_id, group_id, committed) values (%s, %s, %s, %s) returning 1",
            at, world.letters.orders, world.letters.billing, [committed, 0],
        )  # fmt: skip
        rows(
            "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s)"
            " on conflict (topic_id, group_id) do update set sampled_at = excluded.sampled_at,"
            " committed = excluded.committed returning 1",
            world.letters.orders, world.letters.billing, at, [committed, 0],
        )  # fmt: skip


def test_the_window_is_around_the_run_and_lives_while_it_runs() -> None:
    minute = timedelta(minutes=1)
    running = run_of(since=AT, ended_at=None, now=AT + minute)
    assert (running.from_at, running.to_at, running.live) == (AT - minute, AT + minute, True)
    over = run_of(since=AT, ended_at=AT + 10 * minute, now=AT + 60 * minute)
    assert (over.from_at, over.to_at, over.live) == (AT - 2 * minute, AT + 12 * minute, False)
    just_over = run_of(since=AT, ended_at=AT + 10 * minute, now=AT + 11 * minute)
    assert (just_over.to_at, just_over.live) == (AT + 11 * minute, True)
    assert run_of(since=AT - timedelta(days=900), ended_at=None, now=AT).seconds == 400 * 86_400


def test_the_lag_of_the_targets_groups_is_drawn_from_the_samples(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), dead_record(2))
    number = click(*letters).id
    for second in range(0, 121, 10):
        late = max(0, second - 60)  # copies come and nobody reads them
        scanned(world, AT + timedelta(seconds=second), high=1_000 + late, committed=1_000)
    window = run_of(since=AT + timedelta(seconds=61), ended_at=None, now=AT + timedelta(seconds=124))
    found = target_lag(number, window, now=AT + timedelta(seconds=124))
    assert found is not None
    assert (found.chosen.name, found.chosen.n, len(found.targets)) == ("orders.created", 2, 1)
    (line,) = found.lines.lags
    known = [value for value in line.values if value is not None]
    assert (line.name, known[0], known[-1]) == ("billing", 0, 60)
    assert target_lag(10**9, window, now=AT) is None


def test_letters_that_go_each_their_own_way_have_a_choice_of_targets(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(3)])
    number = click(*letters).id
    other = world.letters.topic("orders.retry")
    rows("update retry_operation set target_topic_id = null where id = %s returning 1", number)
    rows("update retry_item set target_topic_id = %s where ordinal = 0 returning 1", other)
    window = run_of(since=AT, ended_at=None, now=AT + timedelta(minutes=1))
    for asked, drawn in (("", "orders.created"), ("orders.retry", "orders.retry"), ("nowhere", "orders.created")):
        found = target_lag(number, window, topic=asked, now=AT)
        assert found is not None
        assert [(each.name, each.n) for each in found.targets] == [("orders.created", 2), ("orders.retry", 1)]
        assert found.chosen.name == drawn


def test_the_page_draws_the_lag_with_marks_that_lead_to_the_log(world: RetryWorld, olga: Client) -> None:
    moment = now()
    (letter,) = world.letters.park(dead_record(1))
    number = click(letter).id
    rows("update retry_operation set created_at = %s returning 1", moment - timedelta(seconds=60))
    control.pause(number, OLGA, now=moment - timedelta(seconds=5))
    for ago in range(50, 0, -3):
        scanned(world, moment - timedelta(seconds=ago), high=1_000, committed=901)
    page = olga.get(f"/retries/{number}/?by=lag").content.decode()
    key = round((moment - timedelta(seconds=5)).timestamp() * 1000)
    assert f'data-change="{key}"' in page
    assert "Lag on <bdi>orders.created</bdi>" in page
    part = olga.get(f"/retries/{number}/?by=lag", headers={"X-Weir-Part": "charts"}).json()
    assert [line["name"] for line in part["lags"]["lines"]] == ["billing"]
    assert part["lags"]["lines"][0]["values"][-1] == 99
    assert [mark["text"].split(" ", 3)[-1] for mark in part["marks"]] == [
        "operator1 confirmed: 1 to send", "olga paused, 0 in flight",
    ]  # fmt: skip
    assert part["captions"]["lags"].startswith("Lag of billing: 99 offsets at the end")
    zoomed = olga.get(f"/retries/{number}/?by=lag&from=2026-11-01T00:00:00Z&to=2026-11-01T00:10:00Z").content.decode()
    assert "Whole operation" in zoomed
    rows("delete from retry_item returning 1")
    rows("update retry_operation set target_topic_id = null returning 1")
    assert "Nothing is to be sent" in olga.get(f"/retries/{number}/?by=lag").content.decode()


def summed(world: RetryWorld, bucket_at: Any, *, total: int, scans: int = 10) -> None:
    """What billing had committed by the end of ten minutes, and how often somebody looked in them."""
    rows(
        "insert into group_10m (bucket_at, topic_id, group_id, n_total, lag, worst_lag) values (%s, %s, %s, %s, 0, 0)"
        " returning 1",
        bucket_at, world.letters.orders, world.letters.billing, total,
    )  # fmt: skip
    rows("insert into scan_10m (cluster_id, bucket_at, n_scans) select id, %s, %s from cluster returning 1",
         bucket_at, scans)  # fmt: skip


def test_what_a_group_has_to_spare_is_what_it_showed_less_what_comes(world: RetryWorld) -> None:
    moment = AT.replace(minute=33, second=0)
    tens = [moment - timedelta(minutes=minutes) for minutes in (63, 53, 43, 33, 23, 13)]
    for at, total, scans in zip(tens, (0, 600, 132_600, 133_200, 733_200, 733_800), (9, 9, 9, 9, 0, 9), strict=True):
        summed(world, at, total=total, scans=scans)
    scanned(world, moment - timedelta(seconds=61), high=6_000)
    scanned(world, moment - timedelta(seconds=1), high=12_000, committed=12_000)
    rows("update group_now set n_total = 733800 returning 1")
    found = spare("demo", [("orders.created", "billing"), ("orders.created", "shipping"), ("gone", "gone")], now=moment)
    billing, shipping, gone = found
    assert (billing.shown, billing.shown_seconds, billing.written) == (220.0, 600.0, 100.0), (
        "600,000 unwatched, no pace"
    )
    assert (billing.rate, billing.why_unknown) == (120.0, "")
    assert shipping.rate is None
    assert "committed nothing" in shipping.why_unknown
    assert gone.rate is None
    later = spare("demo", [("orders.created", "billing")], now=moment + timedelta(minutes=9))[0]
    assert (later.written, later.rate) == (None, None)
    assert "nobody looked" in later.why_unknown


def test_the_plan_says_what_its_groups_have_to_spare(world: RetryWorld, olga: Client) -> None:
    moment = now()
    begun = moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)
    for back, total in ((30, 0), (20, 36_000), (10, 42_000)):
        summed(world, begun - timedelta(minutes=back), total=total)
    scanned(world, moment - timedelta(seconds=62), high=6_000)
    scanned(world, moment - timedelta(seconds=1), high=7_220, committed=7_220)
    (letter,) = world.letters.park(dead_record(1))
    plan = olga.post("/retries/", {"token": "t", "letter": str(letter)})["Location"]
    page = olga.get(f"{plan}?step=3").content.decode()
    assert "has ≥ 40/s to spare: it committed up to 60/s over 10 min on end in the last 24 h" in page
    assert "may fall behind" in page
    assert one("select count(*) from retry_item") == 0
    rows("delete from group_10m returning 1")
    assert "not known" in olga.get(f"{plan}?step=3").content.decode()
