"""The numbered rules of the verdict, one sentence each, and the hazards that must not change it."""

from collections.abc import Sequence

import pytest

from collector.domain.verdicts import RULES, Judgement, Standing, Verdict, judgement, of_partition

Values = Sequence[int | None]
EVERY = 10.0


def window(
    *lags: Values | int | None,
    committed: Sequence[Values | int | None] | None = None,
    state: str = "Stable",
    members: int = 1,
    every: float = EVERY,
) -> list[Standing]:
    """Standings ten seconds apart; one number is one partition. Without `committed` the group commits all the time."""
    offsets = committed if committed is not None else [index * 100 for index in range(len(lags))]
    return [
        Standing(index * every, state, members, _tuple(offsets[index]), _tuple(value))
        for index, value in enumerate(lags)
    ]


def _tuple(values: Values | int | None) -> tuple[int | None, ...]:
    return tuple(values) if isinstance(values, Sequence) else (values,)


STILL = [7, 7, 7, 7, 7]
CASES: list[tuple[str, list[Standing], Verdict | None]] = [
    ("no samples say nothing", [], None),
    ("a group that never committed has no verdict on its lag", window((None, None), committed=[(None, None)]),
     Verdict.NO_COMMITS),
    ("a classic group that hands out partitions is rebalancing", window(5, 5, state="PreparingRebalance"),
     Verdict.REBALANCING),
    ("a KIP-848 group that hands out partitions is rebalancing", window(5, 5, state="Rebalancing"),
     Verdict.REBALANCING),
    ("an offset that fell is rewound", window(5, 50, 55, committed=[100, 20, 40]), Verdict.REWOUND),
    ("an offset that fell and came back is not", window(5, 50, 0, committed=[100, 20, 100]), Verdict.OK),
    ("a reset to the beginning is rewound", window(5, 105, committed=[100, 0]), Verdict.REWOUND),
    ("a reset to the end is no rewind", window(90, 90, 90, 90, 0, committed=[9, 9, 9, 9, 99]), Verdict.OK),
    ("a group that was at the end once is fine", window(9, 0, 9, 9, 9, committed=STILL), Verdict.OK),
    ("events wait and nobody is there", window(9, 9, 9, 9, committed=STILL, members=0, state="Empty"),
     Verdict.STOPPED),
    ("events wait and members do nothing", window(9, 9, 9, 9, committed=STILL), Verdict.STALLED),
    ("more and more events wait and members do nothing", window(9, 19, 29, 39, committed=STILL), Verdict.STALLED),
    ("it works, but more comes in than it can do", window(9, 19, 29, 39), Verdict.SLOW),
    ("a saw that once fell is no slow group", window(9, 19, 12, 39), Verdict.OK),
    ("catching up", window(90, 70, 40, 9), Verdict.OK),
    ("a steady distance", window(9, 9, 9, 9), Verdict.OK),
    ("too short a window cannot tell", window(9, 9, committed=STILL), None),
    ("two samples of a healthy group tell", window(0, 0), Verdict.OK),
    ("an unknown end tells nothing", window(9, None), None),
    ("an unknown end is never read as caught up", window(9, 9, 9, None, committed=STILL), None),
    ("a hung broker leaves no samples, and the group is as it was before", window(9, 9, 9, 9, every=60), Verdict.OK),
    ("a partition that was added and has no commit does not matter",
     window((0, None), (0, None), committed=[(5, None), (5, None)]), Verdict.OK),
    ("a first commit is progress", window((0, None), (0, None), (0, None), (0, 8),
                                           committed=[(5, None), (5, None), (5, None), (5, 1)]), Verdict.OK),
    ("one partition stands still, the others work",
     window((5, 0), (15, 0), (25, 0), (35, 0), committed=[(1, 10), (1, 20), (1, 30), (1, 40)]), Verdict.STALLED),
    ("partitions that take turns while the whole keeps its distance",
     window((0, 20), (20, 0), (0, 20), (20, 0)), Verdict.OK),
    ("the whole grows although each partition takes turns",
     window((1, 20), (20, 11), (9, 32), (30, 21), committed=[(1, 1), (1, 9), (9, 9), (9, 20)]), Verdict.SLOW),
    ("markers of transactions are nothing to read", window(0, 0, 0, 0, committed=STILL), Verdict.OK),
    ("what waits behind an open transaction waits", window(1, 40, 80, 120, committed=STILL), Verdict.STALLED),
    ("what retention took is no lag: a group that stopped before it has nothing left to read",
     window(0, 0, 0, 0, committed=STILL, members=0, state="Empty"), Verdict.OK),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "standings", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_first_rule_that_fits_gives_the_verdict(
    sentence: str, standings: list[Standing], expected: Verdict | None
) -> None:
    found = judgement(standings)
    assert (found.verdict if found else None) == expected, sentence


def test_the_verdict_names_the_partitions_it_was_found_on() -> None:
    standings = window(
        (5, 0, 9), (15, 0, 9), (25, 0, 9), (35, 0, 9), committed=[(1, 10, 3), (1, 20, 3), (1, 30, 3), (1, 40, 3)]
    )
    assert judgement(standings) == Judgement(Verdict.STALLED, (0, 2))
    assert [of_partition(standings, number) for number in range(3)] == [Verdict.STALLED, Verdict.OK, Verdict.STALLED]


def test_the_worst_partition_is_the_verdict_of_the_topic() -> None:
    standings = window((9, 5), (9, 6), (9, 7), (9, 30), committed=[(1, 10), (1, 11), (1, 12), (1, 2)])
    assert judgement(standings) == Judgement(Verdict.STALLED, (0,))
    assert of_partition(standings, 1) == Verdict.REWOUND


def test_a_partition_that_is_unknown_hides_no_worse_one() -> None:
    standings = window((9, 5), (9, 6), (9, 7), (9, None), committed=[(1, 10), (1, 11), (1, 12), (1, 13)])
    assert judgement(standings) == Judgement(Verdict.STALLED, (0,))


def test_a_partition_that_is_not_there_yet_has_no_verdict_of_its_own() -> None:
    assert of_partition(window(0, 0), 3) == Verdict.NO_COMMITS
    assert of_partition([], 0) is None


def test_every_verdict_has_a_rule_that_can_be_shown() -> None:
    assert set(RULES) == set(Verdict)
    assert sorted(number for number, _ in RULES.values()) == list(range(1, 8))


@pytest.mark.parametrize("members", [0, 1])
@pytest.mark.parametrize("n", [2, 5])
def test_all_at_once_is_what_each_partition_says_alone(members: int, n: int) -> None:
    lags = [(9, 0, 4, None, 3), (9, 2, 4, 5, 3), (9, 2, 0, 5, 4), (9, 2, 7, 5, 5), (9, 2, 7, None, 6)]
    standings = window(*lags[:n], committed=[(1, 2, 3, 4, 5)] * n, members=members)
    found = judgement(standings)
    alone = [of_partition(standings, number) for number in range(5)]
    worst = Verdict.STALLED if members else Verdict.STOPPED
    assert (found and (found.verdict, found.partitions)) == (
        (worst, tuple(number for number, word in enumerate(alone) if word == worst)) if worst in alone else None
    )
