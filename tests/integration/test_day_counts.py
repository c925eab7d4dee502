"""Counts by day: the same numbers as from hours and minutes, whatever is summed up yet and whatever came late."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from collector.domain import histograms
from collector.folding.fold import sum_up_days, sum_up_hours
from collector.store import closing
from dashboard.queries.edges import traced_edges
from dashboard.queries.latencies import durations
from dashboard.queries.window import Window
from tests.integration.graph_world import World
from tests.integration.intake_world import rows

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 7, 33, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
N_DAYS = 18
LATER = timedelta(minutes=3)  # into an hour all of it happens


def filled(chance: random.Random) -> dict[int, dict[datetime, tuple[int, int, bytes]]]:
    """By edge and hour what was counted: hours of eighteen days, and the minutes of them."""
    world = World(AT)
    edges = [world.edge(2, world.service(f"s{n}"), world.topic(f"t{n}")) for n in range(3)]
    found: dict[int, dict[datetime, tuple[int, int, bytes]]] = {edge: {} for edge in edges}
    hour = AT.replace(minute=0, second=0)
    with connection.cursor() as cursor:
        for edge in edges:
            for back in range(24 * N_DAYS):
                if chance.random() < 0.6:
                    continue
                at, n = hour - back * HOUR, chance.randrange(1, 50)
                body = histograms.encoded(histograms.counted([chance.uniform(1, 1_000) for _ in range(3)]))
                found[edge][at] = n, chance.randrange(n), body
                values = (edge, *found[edge][at])
                put = (
                    "insert into {} (bucket_at, edge_id, n, n_error, processing, duration_ms_sum, n_spans, evidence)"
                    " values (%s, %s, %s, %s, %s, 1, 1, 1)"
                )
                cursor.execute(put.format("edge_1h"), [at, *values])
                cursor.execute(put.format("edge_1m"), [at + LATER, *values])
                if at > AT - DAY:
                    cursor.execute(
                        "insert into edge_10s (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
                        " values (%s, %s, %s, %s, 1, 1, 1)", [at + LATER, *values[:3]],
                    )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(3))
def test_windows_of_weeks_are_what_their_hours_are(seed: int) -> None:
    chance = random.Random(seed)
    counted = filled(chance)
    windows = [
        Window(AT - chance.uniform(0.3, N_DAYS) * DAY, AT - chance.uniform(0, 0.2) * DAY, live=False) for _ in range(6)
    ] + [Window(AT - 17 * DAY, AT, live=True), Window(AT - DAY, AT, live=True)]

    def told() -> None:
        for window in windows:
            by_minutes = window.to_at - window.from_at <= timedelta(days=13) and window.from_at >= AT - 14 * DAY
            start = window.from_at.replace(second=0, microsecond=0)
            start = start if by_minutes else start.replace(minute=0)
            held = LATER if by_minutes else timedelta(0)
            edges = {each.topic_id: each for each in traced_edges(window, as_of=AT, now=AT)}
            with connection.cursor() as cursor:
                cursor.execute("select id, topic_id from edge where id > 0")
                topics = dict(cursor.fetchall())
            for edge, hours in counted.items():
                own = [value for at, value in hours.items() if start <= at + held and at + LATER < window.to_at]
                got = edges.get(topics[edge])
                assert (
                    (got.messages, got.errors) == (sum(n for n, _, _ in own), sum(e for _, e, _ in own))
                    if got
                    else (not own)
                )
            hours_from = window.from_at.replace(minute=0, second=0, microsecond=0)
            wanted = [
                histograms.decoded(body)
                for hours in counted.values()
                for at, (_, _, body) in hours.items()
                if hours_from <= at and at + LATER < window.to_at
            ]
            measured = histograms.merged(each.processing for each in durations(window).values())
            assert sum(measured.values()) == sum(sum(each.values()) for each in wanted)

    told()
    assert sum_up_days(now=AT) == 3
    told()
    while sum_up_days(now=AT):
        pass
    assert rows("select count(*), max(bucket_at) from edge_day") == [
        (N_DAYS, AT.replace(hour=0, minute=0, second=0) - DAY)
    ]
    told()


def test_a_day_whose_hours_change_is_read_by_the_hour_until_it_is_summed_up_again() -> None:
    filled(random.Random(1))
    while sum_up_days(now=AT):
        pass
    late, window = AT.replace(hour=3, minute=0, second=0) - 5 * DAY, Window(AT - 17 * DAY, AT, live=True)
    before = sum(each.messages for each in traced_edges(window, as_of=AT, now=AT))
    ((edge, had),) = rows("select edge_id, n from edge_1h where bucket_at = %s limit 1", late)
    assert isinstance(had, int)
    rows(
        "update edge_1m set n = n + 7 where edge_id = %s and bucket_at = %s returning 1",
        edge,
        late + LATER,
    )
    rows("insert into rollup_dirty values (2, %s) returning 1", late)
    assert sum_up_days(now=AT) == 0
    assert sum_up_hours() == 1
    assert rows("select n from edge_1h where bucket_at = %s and edge_id = %s", late, edge) == [(had + 7,)]
    assert rows("select count(*) from edge_day") == [(N_DAYS - 1,)]
    assert sum(each.messages for each in traced_edges(window, as_of=AT, now=AT)) == before + 7
    assert sum_up_days(now=AT) == 1
    assert sum(each.messages for each in traced_edges(window, as_of=AT, now=AT)) == before + 7


def test_a_day_is_summed_up_when_two_hours_have_gone_by_for_what_comes_late() -> None:
    filled(random.Random(2))
    midnight = AT.replace(hour=0, minute=0, second=0)
    while sum_up_days(now=midnight + HOUR):
        pass
    assert rows("select max(bucket_at) from edge_day") == [(midnight - 2 * DAY,)]
    assert sum_up_days(now=midnight + 2 * HOUR) == 1
    assert rows("select max(bucket_at) from edge_day") == [(midnight - DAY,)]


def test_days_that_are_too_old_are_not_summed_up_again_and_again(settings: Settings) -> None:
    """A leaf of hours holds them for longer than they are asked for."""
    settings.WEIR_KEEP_1H = 10 * DAY
    filled(random.Random(3))
    while sum_up_days(now=AT):
        pass
    closing.forget_old(AT)
    assert sum_up_days(now=AT) == 0
    assert rows("select count(*), min(bucket_at) from edge_day") == [
        (10, AT.replace(hour=0, minute=0, second=0) - 10 * DAY)
    ]
