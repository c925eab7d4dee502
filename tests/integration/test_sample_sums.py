"""Sums of samples: closed once, true across restarts, and what charts and lists of more than a day are drawn from."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from pytest_django import DjangoAssertNumQueries

from collector.domain.sample_chunks import Opened, opened
from collector.sampling import names
from collector.store import sample_chunks
from collector.store.partitions import Leaves
from dashboard.charts import lag_caption, pace_caption
from dashboard.queries.graph import facts
from dashboard.queries.group import group
from dashboard.queries.group_series import group_series
from dashboard.queries.groups import groups
from dashboard.queries.series import series
from dashboard.queries.topic import topic
from dashboard.queries.topic_partitions import EVERY_TAB, Asked
from dashboard.queries.topics import topics
from dashboard.queries.window import Window, parse
from tests.integration.span_world import rows
from tests.integration.test_sampling import AT, Watched

pytestmark = pytest.mark.usefixtures("clean_tables")

TOPIC_SUMS = (
    "select extract(epoch from bucket_at - '2026-03-01 12:00Z')::int / 60, n_total from topic_10m s"
    " join topic t on t.id = s.topic_id where t.name = 'orders' order by 1"
)
GROUP_SUMS = (
    "select extract(epoch from bucket_at - '2026-03-01 12:00Z')::int / 60, n_total, lag, worst_lag from group_10m"
    " order by 1"
)


@pytest.fixture
def watched(clean_tables: None) -> Watched:
    found = Watched()
    found.broker.create_topic("orders", 2)
    return found


def minutes(watched: Watched, n: int, *, every: int = 1) -> None:
    """So many minutes with a scan `every` so many."""
    for _ in range(n // every):
        watched.second += 60 * every - 2
        assert watched.scan() is None


def test_ten_minutes_are_closed_once_with_what_was_counted_and_the_highest_lag(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 700)
    minutes(watched, 5)
    broker.commit("billing", "orders", {0: 600, 1: 0})
    minutes(watched, 10)
    assert rows(TOPIC_SUMS) == [(0, 700)]
    assert rows(GROUP_SUMS) == [(0, 600, 100, 700)]
    broker.produce("orders", 1, 50)
    minutes(watched, 10)
    assert rows(TOPIC_SUMS) == [(0, 700), (10, 750)]
    assert rows(GROUP_SUMS) == [(0, 600, 100, 700), (10, 600, 150, 150)]
    assert rows("select n_scans from scan_10m order by bucket_at") == [(10,), (10,)]


def test_a_sampler_that_starts_again_within_ten_minutes_sums_up_the_same(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    for step in range(9):
        broker.produce("orders", 0, 100)
        minutes(watched, 1)
        broker.commit("billing", "orders", {0: 100 * step, 1: 0})
        minutes(watched, 1)
        watched.sampler = watched.started()
    assert rows(TOPIC_SUMS) == [(0, 500)]
    assert rows(GROUP_SUMS) == [(0, 300, 200, 200)]


def test_a_close_that_was_not_stored_is_done_again_and_counts_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.scan()
    watched.broker.produce("orders", 0, 70)
    minutes(watched, 9)

    def broken(*_: object) -> bool:
        raise DatabaseError("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr(names, "store_hints", broken)
        watched.second += 60
        with pytest.raises(DatabaseError):
            watched.sampler.tick()
        assert rows(TOPIC_SUMS) == []
    minutes(watched, 1)
    assert rows(TOPIC_SUMS) == [(0, 70)]
    assert rows("select n_total from topic_now") == [(70,)]


def test_what_did_not_change_is_not_written_again_but_as_a_day_begins(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    minutes(watched, 12 * 60 + 15, every=5)
    assert rows(TOPIC_SUMS) == [(0, 0), (720, 0)]
    assert rows(GROUP_SUMS) == [(0, 0, 0, 0), (720, 0, 0, 0)]
    hours = rows("select bucket_at, n_total from topic_1h order by bucket_at")
    assert hours == [(AT, 0), (AT + timedelta(hours=12), 0)]


def test_a_rewind_and_a_cut_log_never_let_a_counter_fall(watched: Watched) -> None:
    broker = watched.broker
    broker.produce("orders", 0, 500)
    broker.commit("billing", "orders", {0: 400, 1: 0})
    watched.scan()
    broker.commit("billing", "orders", {0: 10, 1: 0})
    minutes(watched, 1)
    broker.topics["orders"].high[0] = 450  # a broker lost its newest records
    minutes(watched, 1)
    broker.commit("billing", "orders", {0: 450, 1: 0})
    broker.topics["orders"].high[1] = None  # does not answer, and had not lost anything
    minutes(watched, 1)
    broker.topics["orders"].high[1] = 5
    minutes(watched, 8)
    assert rows(TOPIC_SUMS) == [(0, 5)]
    assert rows(GROUP_SUMS)[0][1] == 440


def test_a_group_that_reads_a_topic_no_more_has_no_lag_from_then_on(watched: Watched) -> None:
    broker = watched.broker
    broker.produce("orders", 0, 30)
    broker.commit("billing", "orders", {0: 10, 1: 0})
    watched.scan()
    minutes(watched, 2)
    del broker.known_groups["billing"].committed["orders"]
    minutes(watched, 20)
    assert rows(GROUP_SUMS) == [(0, 0, None, 20)]


def test_a_group_that_is_gone_for_a_while_counts_on_where_it_was(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 500)
    broker.commit("billing", "orders", {0: 400, 1: 0})
    minutes(watched, 12)
    gone = broker.known_groups.pop("billing")
    minutes(watched, 2)
    broker.known_groups["billing"] = gone
    minutes(watched, 2)
    assert rows("select n_total from group_now") == [(400,)]
    broker.commit("billing", "orders", {0: 450, 1: 0})
    watched.sampler = watched.started()
    minutes(watched, 10)
    assert [row[1] for row in rows(GROUP_SUMS)] == [400, 450]
    moment = AT + timedelta(seconds=watched.second + 1)
    for length in ("13h", "30d"):
        topic_id, group_id = rows("select topic_id, group_id from group_now")[0]
        window = parse(f"now-{length}", "now", now=moment)
        rates = [*series("demo", topic_id, window, now=moment).rates_out[0].values]
        rates += group_series("demo", group_id, window, now=moment).rates[0].values
        assert all(rate is None or rate >= 0 for rate in rates)
    (group,) = facts(parse("now-30d", "now", now=moment), now=moment).groups.values()
    assert group.messages == 450


def test_of_who_was_gone_as_a_window_began_only_what_came_since_is_counted(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 500)
    broker.commit("billing", "orders", {0: 400, 1: 0})
    minutes(watched, 12)
    gone = broker.known_groups.pop("billing")
    minutes(watched, 4 * 24 * 60, every=12 * 60)
    broker.known_groups["billing"] = gone
    minutes(watched, 2)
    broker.commit("billing", "orders", {0: 450, 1: 0})
    minutes(watched, 10)
    moment = AT + timedelta(seconds=watched.second + 1)
    (group,) = facts(parse("now-2d", "now", now=moment), now=moment).groups.values()
    assert group.messages == 50


def test_a_topic_that_was_out_of_sight_counts_on_and_what_it_counted_is_kept(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    minutes(watched, 10)
    broker.produce("orders", 0, 500)
    broker.commit("billing", "orders", {0: 300, 1: 0})
    minutes(watched, 4)
    hidden = broker.topics.pop("orders")
    minutes(watched, 1)
    assert rows(TOPIC_SUMS) == [(0, 0), (10, 500)]  # at once: nobody closes them later
    assert rows("select n_total from topic_1h") == [(500,)]
    assert rows("select n_total, lag, worst_lag from group_1h") == [(300, None, 200)]
    broker.topics["orders"] = hidden
    minutes(watched, 1)
    broker.produce("orders", 1, 7)
    broker.commit("billing", "orders", {0: 310, 1: 0})
    minutes(watched, 10)
    assert [row[1] for row in rows(TOPIC_SUMS)] == [0, 507]
    assert rows("select n_total from group_now") == [(310,)]


def test_a_partition_that_answers_for_the_first_time_is_no_burst(watched: Watched) -> None:
    broker = watched.broker
    broker.topics["orders"].high[:] = [100, None]  # its broker is down as Weir comes
    watched.scan()
    minutes(watched, 2)
    watched.sampler = watched.started()
    minutes(watched, 1)
    broker.topics["orders"].high[:] = [110, 1_000_000]
    minutes(watched, 8)
    assert rows(TOPIC_SUMS) == [(0, 10)]


def test_an_hour_is_the_sum_of_its_ten_minutes(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    for step in range(7):
        broker.produce("orders", 0, 100 * (3 if step == 2 else 1))
        minutes(watched, 1)
        broker.commit("billing", "orders", {0: int(broker.topics["orders"].high[0] or 0), 1: 0})
        minutes(watched, 9)
    minutes(watched, 1)
    assert rows("select n_total, lag, worst_lag from group_1h order by bucket_at limit 1") == [(800, 0, 300)]
    ((seconds,),) = rows("select worst_seconds from group_1h order by bucket_at limit 1")
    assert 0 < seconds <= 60


def weeks(watched: Watched, *, hours: int, down: range = range(0)) -> None:
    """A scan at the end of every ten minutes, 600 records and commits before each; Weir is down in the hours `down`."""
    broker = watched.broker
    watched.second = 590
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    for number in range(6 * hours):
        broker.produce("orders", 0, 600)
        broker.commit("billing", "orders", {0: (number + 1) * 600 - 60, 1: 0})
        watched.second += 598
        if number // 6 in down:
            watched.second += 2
            watched.sampler.forget()
        else:
            assert watched.scan() is None


def test_a_chart_of_days_is_drawn_from_sums_with_the_time_in_which_weir_was_down_as_a_gap(
    watched: Watched, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    weeks(watched, hours=60, down=range(20, 26))
    moment = AT + timedelta(seconds=watched.second + 1)
    topic_id, group_id = rows("select topic_id, group_id from group_now")[0]
    window = parse("now-60h", "now", now=moment)
    with django_assert_num_queries(5):
        lines = series("demo", topic_id, window, now=moment)
    assert lines.by_sums
    assert lines.step_seconds == 1200
    assert len(lines.at) <= 182
    known = [value for value in lines.rate_in.values if value is not None]
    assert known == pytest.approx([1.0] * len(known), rel=0.03)
    gap = [at for at, value in zip(lines.at, lines.rate_in.values, strict=True) if value is None]
    down = AT + timedelta(hours=20), AT + timedelta(hours=26, minutes=40)
    assert 17 <= len([at for at in gap if down[0] < at <= down[1]]) <= 20
    assert len([at for at in gap if not down[0] < at <= down[1]]) <= 3  # before the first scan
    assert {value for value in lines.lags[0].values if value is not None} == {60.0}
    assert all(value is None for at, value in zip(lines.at, lines.lags[0].values, strict=True)
               if down[0] + timedelta(minutes=20) < at <= down[1] - timedelta(hours=1))  # fmt: skip
    with django_assert_num_queries(4):
        own = group_series("demo", group_id, window, now=moment)
    assert [line.values for line in own.lags] == [line.values for line in lines.lags]
    assert own.rates[0].values[-30:] == pytest.approx([1.0] * 30, rel=0.03)


def test_what_a_group_reads_no_more_is_drawn_up_to_its_end_and_said(watched: Watched) -> None:
    broker = watched.broker
    broker.create_topic("refunds", 1)
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    for step in range(20):
        broker.produce("refunds", 0, 60)
        broker.commit("billing", "refunds", {0: 60 * step})
        minutes(watched, 1)
    broker.known_groups["billing"].committed.pop("refunds")
    ended = AT + timedelta(seconds=watched.second)
    for _ in range(40):
        broker.produce("refunds", 0, 60)
        minutes(watched, 1)
    moment = AT + timedelta(seconds=watched.second + 1)
    ((topic_id, group_id),) = rows(
        "select t.id, g.id from topic t, consumer_group g where t.name = 'refunds' and g.name = 'billing'"
    )
    for length in ("6h", "13h"):
        window = parse(f"now-{length}", "now", now=moment)
        drawn = group_series("demo", group_id, window, now=moment)
        for lines in (drawn.lags, drawn.ages, drawn.rates):
            assert [(line.name, line.is_over) for line in lines] == [("orders", False), ("refunds", True)]
            told = [at for at, value in zip(drawn.at, lines[1].values, strict=True) if value is not None]
            assert AT + timedelta(minutes=10) < max(told) <= (ended + timedelta(minutes=4 if length == "6h" else 45))
        assert max(value for value in drawn.lags[1].values if value is not None) <= 120
        assert pace_caption(drawn).endswith(" It reads refunds no more.")
        own = series("demo", topic_id, window, now=moment)
        for lines in (own.lags, own.ages, own.rates_out):
            assert [(line.name, line.is_over) for line in lines] == [("billing", True)]
        assert max(value for value in own.lags[0].values if value is not None) <= 120
        assert lag_caption(own).endswith(" billing reads it no more.")
    later = parse("now-10m", "now", now=moment)
    assert [line.name for line in group_series("demo", group_id, later, now=moment).lags] == ["orders"]
    assert series("demo", topic_id, later, now=moment).lags == ()
    broker.commit("billing", "refunds", {0: 1200})
    minutes(watched, 1)
    again = AT + timedelta(seconds=watched.second + 1)
    for length in ("10m", "13h"):
        drawn = group_series("demo", group_id, parse(f"now-{length}", "now", now=again), now=again)
        assert {(line.name, line.is_over) for line in drawn.lags} == {("orders", False), ("refunds", False)}


def test_who_is_gone_is_in_lists_and_charts_of_when_it_read(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 30)
    minutes(watched, 95)
    broker.known_groups.pop("billing")
    minutes(watched, 95)
    moment = AT + timedelta(seconds=watched.second + 1)
    (topic_id,) = rows("select id from topic where name = 'orders'")[0]
    assert groups(parse("now-15m", "now", now=moment), now=moment).items == ()
    then = Window(moment - timedelta(hours=11), moment - timedelta(minutes=100), live=False)
    (row,) = groups(then, now=moment).items
    assert (row.name, row.lag) == ("billing", 30)
    page = group("demo", "billing", then, now=moment)
    assert page is not None
    assert [(each.partition, each.committed, each.lag) for each in page.partitions] == [(0, 0, 30), (1, 0, 0)]
    (line,) = series("demo", topic_id, then, now=moment).lags
    assert (line.name, line.is_over, {*line.values[-10:]}) == ("billing", False, {30.0})
    (line,) = series("demo", topic_id, parse("now-11h", "now", now=moment), now=moment).lags
    assert (line.name, line.is_over, {*line.values[-35:-28]}, {*line.values[-25:]}) == ("billing", True, {30.0}, {None})


def test_a_topic_that_was_made_anew_is_another_line_of_its_group(watched: Watched) -> None:
    broker = watched.broker
    broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    broker.produce("orders", 0, 30)
    minutes(watched, 15)
    broker.delete_topic("orders")
    minutes(watched, 2)
    broker.create_topic("orders", 2)
    broker.commit("billing", "orders", {0: 0, 1: 0})
    minutes(watched, 13)
    moment = AT + timedelta(seconds=watched.second + 1)
    (group_id,) = rows("select id from consumer_group where name = 'billing'")[0]
    for length in ("6h", "13h"):
        lines = group_series("demo", group_id, parse(f"now-{length}", "now", now=moment), now=moment).lags
        assert [(line.name, line.is_over) for line in lines] == [("orders", False), ("orders (deleted)", True)]
        assert max(value for value in lines[1].values if value is not None) == 30
        assert {value for value in lines[0].values if value is not None} == {0}


def test_what_is_known_of_who_is_gone_goes_with_his_sums(watched: Watched) -> None:
    watched.broker.commit("billing", "orders", {0: 0, 1: 0})
    watched.scan()
    hidden = watched.broker.topics.pop("orders")
    minutes(watched, 2)
    assert rows("select count(*) from group_gone") == [(1,)]
    watched.broker.topics["orders"] = hidden
    minutes(watched, 2)
    assert rows("select count(*) from group_gone") == [(0,)]
    watched.broker.known_groups.pop("billing")
    minutes(watched, 2)
    moment = AT + timedelta(seconds=watched.second)
    sample_chunks.pack_old(Leaves(), now=moment + timedelta(days=33) - timedelta(minutes=5))
    assert rows("select count(*) from group_gone") == [(1,)]
    sample_chunks.pack_old(Leaves(), now=moment + timedelta(days=33, minutes=5))
    assert rows("select count(*) from group_gone") == [(0,)]


def test_a_chart_of_thirty_days_has_hours_and_at_most_180_steps(watched: Watched) -> None:
    weeks(watched, hours=30)
    moment = AT + timedelta(seconds=watched.second + 1)
    topic_id = rows("select id from topic where name = 'orders'")[0][0]
    lines = series("demo", topic_id, parse("now-30d", "now", now=moment), now=moment)
    assert lines.step_seconds == 4 * 3600
    assert len(lines.at) <= 181
    known = [value for value in lines.rate_in.values if value is not None]
    assert known == pytest.approx([1.0] * 7, rel=0.05)
    assert lines.at[-1] == moment


def test_a_list_of_days_ago_has_the_groups_that_read_then_with_their_lags(watched: Watched) -> None:
    weeks(watched, hours=60)
    moment = AT + timedelta(seconds=watched.second + 1)
    with connection.cursor() as cursor:  # as the packer does: what is older than a day are no rows any more
        cursor.execute("delete from group_sample where sampled_at < %s", [moment - timedelta(hours=25)])
        cursor.execute("delete from topic_sample where sampled_at < %s", [moment - timedelta(hours=25)])
    then = Window(moment - timedelta(hours=32), moment - timedelta(hours=30), live=False)
    (row,) = groups(then, now=moment).items
    assert (row.name, row.lag, row.lag_seconds, row.health.level) == ("billing", 60, None, "unknown")
    (reading,) = row.readings
    assert reading.behind.lost is None
    assert reading.messages == pytest.approx(7200, abs=600)
    (listed,) = topics(then, now=moment).items
    assert (listed.n_groups, listed.lag) == (1, 60)
    before = Window(AT - timedelta(hours=2), AT - timedelta(hours=1), live=False)
    assert groups(before, now=moment).items == ()


def test_of_days_ago_each_partition_is_told_from_what_is_packed(watched: Watched) -> None:
    weeks(watched, hours=60)
    watched.broker.known_groups.pop("billing")
    minutes(watched, 2)
    moment = AT + timedelta(seconds=watched.second + 1)
    sample_chunks.pack_old(Leaves(), now=moment)
    end = AT + timedelta(hours=30, minutes=5)
    assert rows("select count(*) from group_sample where sampled_at <= '2026-03-02 18:05Z'") == [(0,)]
    page = group("demo", "billing", Window(end - timedelta(hours=1), end, live=False), now=moment)
    assert page is not None
    told = [(each.partition, each.high, each.committed, each.lag) for each in page.partitions]
    assert told == [(0, 107_400, 107_340, 60), (1, 0, 0, 0)]
    age = page.partitions[0].age
    assert age is not None
    assert age.seconds == pytest.approx(368, abs=10)  # a tenth of what came with the scan of 29:59:52 is unread
    own = topic("demo", "orders", Window(end - timedelta(hours=1), end, live=False), now=moment, asked=Asked(10))
    assert own is not None
    assert own.partitions.groups == ("billing",)
    assert [(each.partition, each.high, each.leader, each.lags) for each in own.partitions.rows] == [
        (0, 107_400, None, (60,)), (1, 0, None, (0,)),
    ]  # fmt: skip


def test_of_days_ago_no_more_is_unpacked_than_is_shown(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    weeks(watched, hours=60)
    moment = AT + timedelta(seconds=watched.second + 1)
    sample_chunks.pack_old(Leaves(), now=moment)
    end = AT + timedelta(hours=30, minutes=5)
    span = Window(end - timedelta(hours=1), end, live=False)
    read: list[bytes] = []

    def counted(body: bytes) -> Opened:
        read.append(body)
        return opened(body)

    monkeypatch.setattr("dashboard.queries.offsets_at.opened", counted)
    page = topic("demo", "orders", span, now=moment, asked=EVERY_TAB)
    assert page is not None
    assert page.partitions.n_all == 2
    n_ends = len(read)
    assert n_ends <= 2  # where they stood, and a minute before
    read.clear()
    page = topic("demo", "orders", span, now=moment, asked=Asked(10))
    assert page is not None
    assert len(page.partitions.groups) == 1
    assert n_ends < len(read) <= n_ends + 2


def test_a_short_stretch_between_two_sums_of_long_ago_counts_nothing(watched: Watched) -> None:
    weeks(watched, hours=60)
    moment = AT + timedelta(seconds=watched.second + 1)
    begin = AT + timedelta(hours=20, minutes=31)
    known = facts(Window(begin, begin + timedelta(minutes=8), live=False), now=moment)
    assert {each.messages for each in known.topics.values()} == {None}
    assert {each.messages for each in known.groups.values()} == {None}


def test_lists_of_days_count_what_was_written_and_committed_in_them(watched: Watched) -> None:
    weeks(watched, hours=60)
    moment = AT + timedelta(seconds=watched.second + 1)
    known = facts(parse("now-48h", "now", now=moment), now=moment)
    ((topic, progress),) = known.topics.items()
    assert progress.messages == pytest.approx(48 * 3600, abs=600)
    (group,) = known.groups.values()
    assert group.messages == pytest.approx(48 * 3600, abs=600)
    earlier = parse(
        f"{moment - timedelta(hours=56):%Y-%m-%dT%H:%M:%SZ}", f"{moment - timedelta(hours=30):%Y-%m-%dT%H:%M:%SZ}",
        now=moment,
    )  # fmt: skip
    (then,) = facts(earlier, now=moment).groups.values()
    assert then.messages == pytest.approx(26 * 3600, abs=1200)
    since = facts(parse("now-30d", "now", now=moment), now=moment)
    assert since.topics[topic].messages == 60 * 3600  # all that it wrote since Weir looks


def test_a_month_of_a_weir_that_looked_before_is_not_all_that_it_ever_counted(watched: Watched) -> None:
    weeks(watched, hours=60)
    watched.second += timedelta(days=30, hours=-30).total_seconds()
    assert watched.scan() is None
    moment = AT + timedelta(seconds=watched.second + 1)
    sample_chunks.pack_old(Leaves(), now=moment)

    def messages(days: int) -> list[int | None]:
        known = facts(parse(f"now-{days}d", "now", now=moment), now=moment)
        return [*(each.messages for each in known.topics.values()), *(each.messages for each in known.groups.values())]

    assert all(each == pytest.approx(30 * 3600, abs=1200) for each in messages(30))
    assert messages(45) == [60 * 3600, 60 * 3600 - 60]  # the topic is younger than that
    rows("update topic set first_at = first_at - interval '60 days' where name = 'orders' returning 1")
    assert messages(45) == [None, None]
    assert all(each == pytest.approx(30 * 3600, abs=1200) for each in messages(30))
