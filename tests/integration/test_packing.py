"""Samples are packed within hours: what is asked of the time before is answered as if they were rows still."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from collector.store import sample_chunks
from collector.store.partitions import Leaves
from dashboard.queries.group import group
from dashboard.queries.group_series import group_series
from dashboard.queries.histories import recent_ends
from dashboard.queries.offsets import group_progress, topic_progress
from dashboard.queries.series import series
from dashboard.queries.window import Window
from tests.integration.graph_world import World
from tests.integration.intake_world import rows
from tests.integration.packed_samples import points_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LATER = AT + 2 * HOUR  # all before AT is packed


class Busy:
    """Three topics with two groups each, for two hours and a half: some busy, some seldom, one still for an hour."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.world = world = World(AT)
        rows(
            "insert into raw_partition (table_name, leaf, starts_at, ends_at)"
            " values ('sample_chunk', 'sample_chunk_all', '2000-01-01Z', '2100-01-01Z') returning 1"
        )
        self.topics = [world.topic(f"t{n}") for n in range(3)]
        self.groups = [world.group(f"g{n}") for n in range(2)]
        ends = {topic: [0, 0] for topic in self.topics}
        commits = {(topic, each): [0, 0] for topic in self.topics for each in self.groups}
        for ago in range(7_200, -1_801, -20):  # until half an hour after AT
            world.scanned(ago=ago)
            for number, topic in enumerate(self.topics):
                still = number == 2 and 1_800 < ago < 5_400
                if ago in {7_200, -1_800} or (not still and chance.random() < (0.9, 0.03, 0.5)[number]):
                    ends[topic] = [end + chance.randrange(50) for end in ends[topic]]
                    world.watermarks(topic, list(ends[topic]), ago=ago)
                for each in self.groups:
                    if ago in {7_200, -1_800} or (not still and chance.random() < 0.3):
                        pairs = zip(commits[topic, each], ends[topic], strict=True)
                        commits[topic, each] = [chance.randint(offset, end) for offset, end in pairs]
                        world.committed(topic, each, list(commits[topic, each]), ago=ago, lag=1)

    def told(self) -> list[object]:
        """What pages say of moments before and around the border."""
        past = [
            Window(AT - 50 * MINUTE, AT - 20 * MINUTE, live=False),
            Window(AT - 100 * MINUTE, AT + 10 * MINUTE, live=False),
            Window(AT - 61 * MINUTE, AT - 31 * MINUTE - timedelta(seconds=13), live=False),
        ]
        found: list[object] = []
        for window in past:
            found += [topic_progress(window, now=LATER), group_progress(window, now=LATER)]
            found += [series("demo", topic, window, now=LATER) for topic in self.topics]
            found += [group_series("demo", each, window, now=LATER) for each in self.groups]
            page = group("demo", "g0", window, now=LATER)
            assert page is not None
            found.append(
                [(each.topic, each.partition, each.committed, each.high, each.lag) for each in page.partitions]
            )
        live = Window(LATER - 150 * MINUTE, LATER, live=True)
        return [*found, topic_progress(live, now=LATER), group_progress(live, now=LATER)]


def pack(now: datetime) -> int:
    return sample_chunks.pack_old(Leaves(), now=now)


def test_nothing_that_is_told_changes_when_samples_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_chunks, "TOPICS_AT_ONCE", 2)
    busy = Busy(3)
    before, ends = busy.told(), ring(busy)
    n_rows = counted()
    assert pack(LATER) == 2
    assert counted() < 0.8 * n_rows
    assert busy.told() == before
    assert ring(busy) == ends
    assert pack(LATER) == 0


def ring(busy: Busy) -> list[object]:
    """How old offsets are that were written before the border, by the ends of the last two hours and a half."""
    found: list[object] = []
    for topic in busy.topics:
        known = recent_ends(topic, until=AT + HOUR / 2, seconds=9_000, is_past=False).points
        found.append((len(known), [known[index][0] for index in range(len(known))]))
    return found


def counted() -> int:
    ((topics, groups),) = rows("select (select count(*) from topic_sample), (select count(*) from group_sample)")
    assert isinstance(topics, int)
    assert isinstance(groups, int)
    return topics + groups


@pytest.mark.parametrize("kind", list(sample_chunks.Kind))
def test_every_sample_is_packed_once_and_what_held_at_each_minute_stays_a_row_for_a_day(
    kind: sample_chunks.Kind,
) -> None:
    busy = Busy(7)
    if kind is sample_chunks.Kind.WATERMARKS:
        mine, columns = f"from topic_sample where topic_id = {busy.topics[0]}", "sampled_at, high, low"
    else:
        mine = f"from group_sample where topic_id = {busy.topics[0]} and group_id = {busy.groups[0]}"
        columns = "sampled_at, committed"
    ordered = f"select {columns} {mine} order by 1"

    def minutes() -> list[object]:
        newest = f"select {columns} {mine} and sampled_at <= %s order by 1 desc limit 1"
        return [rows(newest, AT - 2 * HOUR + number * MINUTE) for number in range(121)]

    all_rows, held = rows(ordered), minutes()
    pack(LATER)
    left = rows(ordered)
    assert len(left) < len(all_rows)
    assert packed(busy, kind) == [row for row in all_rows if row[0] < AT]  # type: ignore[operator]
    assert minutes() == held
    written = "select from_at, topic_id, group_id, xmin::text from sample_chunk where from_at < %s order by 1, 2, 3"
    chunks = rows(written, AT)
    pack(AT + 27 * HOUR)
    assert rows(written, AT) == chunks  # not once more
    assert rows(ordered) == all_rows[-1:]
    assert packed(busy, kind) == all_rows[:-1]


def test_samples_that_are_too_old_for_a_chunk_make_none(settings: Settings) -> None:
    settings.WEIR_KEEP_CHUNKS = timedelta(hours=12)
    busy = Busy(7)
    pack(LATER)
    assert rows("delete from sample_chunk where from_at < %s returning topic_id", AT - HOUR)  # as if dropped
    pack(AT + 27 * HOUR)
    assert rows("select count(*) from sample_chunk where from_at < %s", AT - HOUR) == [(0,)]
    assert rows("select count(*) from topic_sample") == [(len(busy.topics),)]


def test_the_last_sample_of_who_is_gone_goes_with_its_chunks() -> None:
    busy = Busy(7)
    kept, gone = busy.topics[:2], busy.topics[2]
    for table in ("group_now", "topic_now"):
        rows(f"delete from {table} where topic_id = %s returning 1", gone)
    left = "select distinct topic_id from {}_sample order by 1"
    pack(AT + 27 * HOUR)
    assert [rows(left.format(each)) for each in ("topic", "group")] == [[(topic,) for topic in busy.topics]] * 2
    busy.world.watermarks(kept[0], [10_000, 10_000], ago=-31 * 86_400)  # something to pack
    pack(AT + timedelta(days=33))
    assert [rows(left.format(each)) for each in ("topic", "group")] == [[(topic,) for topic in kept]] * 2


def packed(busy: Busy, kind: sample_chunks.Kind) -> list[tuple[object, ...]]:
    points = points_of(
        kind, topic_id=busy.topics[0],
        group_id=busy.groups[0] if kind is sample_chunks.Kind.COMMITTED else 0, since=AT - 3 * HOUR, until=LATER,
    )  # fmt: skip
    return [(point.at, *(list(each) for each in point.values)) for point in points]


def test_the_chart_of_a_group_reads_no_samples_of_topics_that_it_does_not_draw() -> None:
    world = World(AT)
    reader, topics = world.group("reader"), [world.topic(f"read-{n}") for n in range(7)]
    for ago in (7_000, 30):
        world.scanned(ago=ago)
        for lag, topic in enumerate(topics):
            world.watermarks(topic, [100], ago=ago)
            world.committed(topic, reader, [100 - lag], ago=ago, lag=lag)
    for topic in topics[:2]:
        rows(
            "insert into sample_chunk (kind, topic_id, group_id, from_at, n_points, body)"
            " values (1, %s, %s, %s, 1, 'unreadable') returning 1",
            topic, reader, AT - 2 * HOUR,
        )  # fmt: skip
    drawn = group_series("demo", reader, Window(AT - 2 * HOUR, AT, live=True), now=AT)
    assert [line.name for line in drawn.lags] == ["read-6", "read-5", "read-4", "read-3", "read-2"]
    assert [line.values[-1] for line in drawn.lags] == [6, 5, 4, 3, 2]
    assert drawn.n_more_topics == 2
