"""What the sampler leaves out of its work while nothing changes is what would have come to the same."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from collector.domain.ends import Ring
from collector.domain.lag import Age, age, behind
from collector.domain.verdicts import Standing, Verdict, judgement
from collector.sampling.judging import judge
from collector.sampling.memory import Pair
from collector.sampling.points import _moved


@pytest.mark.parametrize("seed", range(40))
def test_a_pair_always_has_the_verdict_of_its_standings(seed: int) -> None:
    chance = random.Random(seed)
    at, committed, high, members, state = 1000.0, [0, 0], [0, 0], 1, "Stable"
    pair = Pair((0, 0), datetime.fromtimestamp(at, UTC), None, at, None, None, None)
    for _ in range(400):
        at += chance.choice((2, 2, 2, 10, chance.uniform(1, 70)))
        calm = chance.random() < 0.8
        if not calm:
            high = [end + chance.randrange(3) for end in high]
            committed = [chance.randint(min(offset, end), end) for offset, end in zip(committed, high, strict=True)]
            committed = [0, 0] if chance.random() < 0.02 else committed
            members, state = chance.choice(((1, "Stable"), (1, "Stable"), (0, "Empty"), (1, "PreparingRebalance")))
        lags = [end - offset for offset, end in zip(committed, high, strict=True)]
        unread = tuple(None if chance.random() < 0.02 else lag for lag in lags)
        judge(pair, Standing(at, state, members, tuple(committed), unread), datetime.fromtimestamp(at, UTC))
        expected = judgement(pair.standings)
        assert pair.verdict == (expected.verdict if expected else None)
        assert pair.n_judged == (len(expected.partitions) if expected else 0)


SINCE = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("members", "lags", "has_moved", "expected"),
    [
        (1, (5, 0), False, Verdict.STALLED),
        (0, (5, 0), False, None),  # it lost its members: not the same standstill
        (1, (None, 0), False, None),
        (1, (5, 0), True, None),
        (1, (0, 0), False, Verdict.OK),
    ],
)
def test_a_standstill_of_an_earlier_run_holds_until_it_can_be_judged_again(
    members: int, lags: tuple[int | None, ...], *, has_moved: bool, expected: Verdict | None
) -> None:
    written_at = SINCE if has_moved else None
    pair = Pair((7, 7), written_at, None, 0.0, Verdict.STALLED, SINCE, 0, 1)
    for at in (0, 10, 20):
        judge(pair, Standing(at, "Stable", members, (7, 7), lags), SINCE + timedelta(hours=1, seconds=at))
        assert pair.verdict is expected
    if expected is Verdict.STALLED:
        judge(pair, Standing(40, "Stable", members, (7, 7), lags), SINCE + timedelta(hours=1, seconds=40))
        assert (pair.verdict, pair.verdict_at, pair.n_judged) == (Verdict.STALLED, SINCE, 1)


@pytest.mark.parametrize(
    ("committed", "has_moved"),
    [
        ((7, 8), True),
        ((7, 6), True),  # a rewind is a commit, too
        ((7, 7, None), False),  # a partition was added
        ((7, 7, 0), True),
        ((7, None), False),  # its offset was kept long enough
    ],
)
def test_only_a_commit_is_told_as_one(committed: tuple[int | None, ...], *, has_moved: bool) -> None:
    pair, later = Pair((7, 7), SINCE, SINCE, SINCE.timestamp(), None, None, None), SINCE + timedelta(minutes=5)
    assert [point.committed for point in _moved(pair, (1, 1), committed, None, later)] == [committed]
    assert (pair.moved_at, pair.still_since) == (
        (later, later.timestamp()) if has_moved else (SINCE, SINCE.timestamp())
    )
    assert (pair.committed, pair.written_at) == (committed, later)


@pytest.mark.parametrize("seed", range(40))
def test_the_age_of_the_oldest_is_the_highest_of_the_ages_of_each(seed: int) -> None:
    chance = random.Random(seed)
    ring, high, at = Ring(), [0, 0, 0], 0.0
    for _ in range(60):
        at += 10
        high = [end + chance.choice((0, 0, chance.randrange(50))) for end in high]
        high += [0] if chance.random() < 0.02 else []
        answered = tuple(None if chance.random() < 0.1 else end for end in high)
        ring.add(at, answered)
        committed = tuple(chance.randint(0 if chance.random() < 0.2 else max(0, end - 40), end) for end in high)
        low = tuple(chance.choice((0, offset)) for offset in committed)
        found = behind(committed, low=low, high=high, history=ring.points, now=at + 3, records={})
        each = [
            age(offset, partition=number, history=ring.points, now=at + 3)
            for number, (offset, end) in enumerate(zip(committed, high, strict=True))
            if offset < end
        ]
        known = [one for one in each if one is not None]
        if len(known) < len(each):
            assert found.age is None
        else:
            assert found.age == max(known, key=lambda one: one.seconds, default=Age(0.0, 0.0))
