"""What groups read in a window, told with few look-ups, is what somebody finds who goes through every sample."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from dashboard.queries.offsets import group_progress
from dashboard.queries.window import Window
from tests.integration.graph_world import World

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)
Offsets = list[int | None]
Rows = list[tuple[float, Offsets]]  # seconds before AT, oldest first


@pytest.mark.parametrize("seed", range(6))
def test_every_pair_is_told_as_its_samples_say(seed: int) -> None:
    chance = random.Random(seed)
    world = World(AT)
    scans = [float(ago) for ago in range(2_400, -1, -10) if chance.random() > 0.1 or ago == 0]
    for ago in scans:
        world.scanned(ago=ago)
    ends: dict[int, Rows] = {}
    commits: dict[tuple[int, int], Rows] = {}
    born: dict[int, float] = {}
    for number in range(12):
        age = chance.choice([86_400.0, chance.uniform(200, 2_300)])
        topic = world.topic(f"t{number}", first_at=AT - timedelta(seconds=age))
        born[topic] = age
        ends[topic] = rows = walk(chance, scans, start=chance.choice([0, 500]), holes=False)
        for ago, high in rows:
            world.watermarks(topic, high, ago=ago, low=[0 if chance.random() < 0.5 else end for end in high])
        group = world.group(f"g{number}")
        commits[topic, group] = walk(chance, scans, start=chance.choice([0, 500]), holes=True)
        for ago, committed in commits[topic, group]:
            world.committed(topic, group, committed, ago=ago)
    lows = world_lows()
    for length, before, live in ((900, 0, True), (30, 0, True), (900, 600, False), (100, 1_000, False)):
        window = Window(AT - timedelta(seconds=before + length), AT - timedelta(seconds=before), live=live)
        found = group_progress(window, now=AT)
        assert found.keys() == commits.keys()
        for pair, rows in commits.items():
            wanted = naive(rows, ends[pair[0]], lows[pair[0]], scans, born[pair[0]], length, before, live=live)
            assert (found[pair].messages, found[pair].rate) == pytest.approx(wanted), (pair, rows, window)


def walk(chance: random.Random, scans: list[float], *, start: int, holes: bool) -> Rows:
    """What changed, from some scan on; some never move again, some have not committed everywhere."""
    first, last = sorted(chance.sample(range(len(scans)), 2))
    rows: Rows = []
    now: Offsets = [None if holes and chance.random() < 0.4 else start for _ in range(3)]
    for ago in scans[first : last + 1]:
        if rows and chance.random() < 0.8:
            continue
        if rows:
            now = [
                (start if holes and chance.random() < 0.2 else None) if each is None else each + chance.randrange(20)
                for each in now
            ]
        rows.append((ago, list(now)))
    return rows


def world_lows() -> dict[int, Rows]:
    found: dict[int, Rows] = {}
    with connection.cursor() as cursor:
        cursor.execute("select topic_id, extract(epoch from %s - sampled_at)::float8, low from topic_sample"
                       " order by sampled_at", [AT])  # fmt: skip
        for topic, ago, low in cursor.fetchall():
            found.setdefault(topic, []).append((ago, low))
    return found


def upto(rows: Rows, ago: float) -> Offsets | None:
    """What held then."""
    return next((values for at, values in reversed(rows) if at >= ago), None)


def naive(
    rows: Rows, ends: Rows, lows: Rows, scans: list[float], born: float, length: float, before: float, *, live: bool
) -> tuple[int | None, float | None]:
    """Messages and rate, from all samples and partition by partition."""
    begins = before + length
    end = next(ago for ago in reversed(scans) if ago >= before)
    is_covered = end < begins
    since = next((ago for ago in reversed(scans) if ago >= end + 60), None)
    since = since if since is not None else next(ago for ago in scans if ago < end + 60)
    seconds = since - end if (is_covered or live) and since - end <= 150 else None
    committed = upto(rows, end)
    if committed is None:
        return None, None
    is_new = born < begins and scans[0] > born
    at_begin = min(begins, scans[0])
    high, low = upto(ends, at_begin), upto(lows, at_begin)
    empty = [a if a == b else None for a, b in zip(high, low, strict=True)] if high and low else None
    first = next((values for at, values in rows if at < begins and any(v is not None for v in values)), None)
    zeros: Offsets | None = [0] * 3 if is_new else None
    sources = [upto(rows, begins), zeros, empty, first]
    start = _filled(sources)
    messages = _moved(start, committed) if start and is_covered else None
    base = _filled([upto(rows, since), start])
    return messages, _moved(base, committed) / seconds if base and seconds else None


def _filled(sources: list[Offsets | None]) -> Offsets | None:
    known = [each for each in sources if each is not None]
    return [next((each[p] for each in known if each[p] is not None), None) for p in range(3)] if known else None


def _moved(start: Offsets, end: Offsets) -> int:
    return sum(max(0, b - a) for a, b in zip(start, end, strict=True) if a is not None and b is not None)
