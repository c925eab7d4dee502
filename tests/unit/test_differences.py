"""What differs between two stretches of time: a case for each rule."""

from collections.abc import Mapping
from typing import Any

import pytest

from collector.domain.histograms import counted
from dashboard.queries.differences import Difference, Differences, Flow, Line, Stretch, differences

ORDERS, BILLING, FRAUD = "service:orders-svc", "service:billing-svc", "service:fraud-svc"
CREATED, CHECK = "topic:demo/orders.created", "topic:demo/fraud.check"
GROUP = "group:demo/billing"
SENDS = Line(f"{ORDERS}>{CREATED}", ORDERS, CREATED, "produce")
READS = Line(f"{CREATED}>{BILLING}@{GROUP}", CREATED, BILLING, "consume", GROUP)
ALONE = Line(f"{CREATED}>{GROUP}", CREATED, GROUP, "consume", GROUP)
ASKS = Line(f"{BILLING}>{CHECK}", BILLING, CHECK, "produce")
CHECKS = Line(f"{CHECK}>{FRAUD}@group:demo/fraud", CHECK, FRAUD, "consume", "group:demo/fraud")
BARE = Line(CREATED, CREATED, CREATED, "topic")
LINES = {line.id: line for line in (SENDS, READS, ALONE, ASKS, CHECKS, BARE)}
MINUTES_15 = 900.0
FAST, SLOW = counted([100.0] * 400), counted([1_000.0] * 400)
FIFTEEN_FAST, FIFTEEN_SLOW = (100.0,) * 15, (1_000.0,) * 15
UNSTEADY = (100.0, 90.0, 2_000.0, 80.0, 110.0, 1_500.0, 95.0)


def stretch(flows: Mapping[Line, Flow | int], **more: Any) -> Stretch:
    """Fifteen minutes in which these lines carried so much."""
    told = {line.id: Flow(flow) if isinstance(flow, int) else flow for line, flow in flows.items()}
    return Stretch(**{"seconds": MINUTES_15, "has_gaps": False, "flows": told, **more})


def told(found: Differences) -> list[tuple[str, str, str]]:
    """What was found, in short."""
    return [(each.what, each.measure, each.about) for each in found.found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({SENDS: 900}, {SENDS: 900}, [], id="the same"),
        pytest.param({SENDS: 900}, {SENDS: 1_080}, [], id="20 % is the daily up and down, however certain"),
        pytest.param({SENDS: 20}, {SENDS: 30}, [], id="50 %, but chance does that"),
        pytest.param({SENDS: 900}, {SENDS: 1_800}, [("changed", "rate", SENDS.id)], id="twice as much"),
        pytest.param({SENDS: 900}, {SENDS: 300}, [("changed", "rate", SENDS.id)], id="a third"),
        pytest.param({SENDS: 900, READS: 900}, {SENDS: 900, READS: 900, ASKS: 40},
            [("new", "flow", ASKS.id)], id="somebody known writes to another topic"),
        pytest.param({SENDS: 900, READS: 900, ASKS: 40}, {SENDS: 900, READS: 900},
            [("gone", "flow", ASKS.id)], id="and no more"),
        pytest.param({ASKS: 900}, {ASKS: 900, CHECKS: 900}, [("new", "flow", FRAUD)], id="a new service"),
        pytest.param({ASKS: 900, CHECKS: 900}, {ASKS: 900}, [("gone", "flow", FRAUD)], id="a service that is gone"),
        pytest.param({SENDS: 900}, {SENDS: 900, READS: 900, ASKS: 40},
            [("new", "flow", BILLING)], id="all that a new service does is told at once"),
        pytest.param({READS: Flow(900, 2)}, {READS: Flow(900, 60)}, [("changed", "failed", READS.id)], id="fails more"),
        pytest.param({READS: Flow(900, 0)}, {READS: Flow(900, 4)}, [], id="four failures are few"),
        pytest.param({READS: Flow(900, processing=FAST, processing_levels=FIFTEEN_FAST)},
            {READS: Flow(900, processing=SLOW, processing_levels=FIFTEEN_SLOW)},
            [("changed", "processing", READS.id)], id="slower"),
        pytest.param({READS: Flow(900, wait=SLOW, wait_levels=FIFTEEN_SLOW)},
            {READS: Flow(900, wait=FAST, wait_levels=FIFTEEN_FAST)},
            [("changed", "wait", READS.id)], id="waits less"),
        pytest.param({READS: Flow(900, wait=FAST, wait_levels=FIFTEEN_FAST)},
            {READS: Flow(900, wait=SLOW, wait_levels=UNSTEADY)},
            [], id="two slow minutes of seven move the p95 of all, and no level"),
        pytest.param({READS: Flow(400, processing=FAST)}, {READS: Flow(400, processing=counted([110.0] * 400))}, [],
            id="10 % slower is within the histogram's own error"),
        pytest.param({ALONE: 900}, {READS: 900}, [("changed", "known", READS.id)], id="spans explain a group now"),
        pytest.param({READS: 900}, {ALONE: 900}, [("changed", "known", READS.id)], id="and no more"),
        pytest.param({BARE: 900}, {BARE: 0}, [("gone", "flow", CREATED)], id="a topic nobody is seen to write to"),
        pytest.param({SENDS: Flow(900)}, {SENDS: Flow(225, share=0.25)}, [], id="only the sampling changed"),
    ],
)  # fmt: skip
def test_rules(
    before: Mapping[Line, Flow | int], after: Mapping[Line, Flow | int], expected: list[tuple[str, str, str]]
) -> None:
    assert told(differences(LINES, stretch(before), stretch(after))) == expected


def test_what_is_told_of_a_service_carries_its_edges_and_their_sum() -> None:
    found = differences(LINES, stretch({SENDS: 900}), stretch({SENDS: 900, READS: 900, ASKS: 45})).found
    assert len(found) == 1
    assert {line.id for line in found[0].carries} == {READS.id, ASKS.id}
    assert found[0].before is None
    assert found[0].after == pytest.approx(945 / MINUTES_15)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({SENDS: 10}, {}, [("flow", 10, 0, 11)]),
        ({}, {SENDS: 1}, [("flow", 0, 1, 11)]),
        ({SENDS: 3}, {SENDS: 5}, [("rate", 3, 5, 11)]),
        (
            {READS: Flow(60, processing=counted([100.0] * 60))},
            {READS: Flow(60, processing=counted([900.0] * 60))},
            [("processing", 60, 60, 104)],
        ),
    ],
)
def test_too_quiet_to_tell(
    before: Mapping[Line, Flow | int], after: Mapping[Line, Flow | int], expected: list[tuple[str, int, int, int]]
) -> None:
    found = differences(LINES, stretch(before), stretch(after))
    assert found.found == ()
    assert [(each.measure, each.n_before, each.n_after, each.least) for each in found.untold] == expected
    assert {each.why for each in found.untold} == {"quiet"}


def test_a_p95_of_too_few_minutes_is_too_short_to_tell() -> None:
    before = stretch({READS: Flow(900, wait=FAST, wait_levels=(100.0, 100.0))})
    after = stretch({READS: Flow(900, wait=SLOW, wait_levels=FIFTEEN_SLOW)})
    found = differences(LINES, before, after)
    assert found.found == ()
    assert [(each.why, each.measure, each.n_before, each.n_after, each.least) for each in found.untold] == [
        ("short", "wait", 2, 15, 3)
    ]


def test_what_nobody_looked_at_is_unknown_and_never_gone() -> None:
    gap = stretch({}, seconds=600.0, has_gaps=True)
    found = differences(LINES, stretch({SENDS: 900}), gap)
    assert (told(found), [each.why for each in found.untold]) == ([], ["unseen"])
    unknown = stretch({}, unknown=frozenset({BARE.id}))
    assert [each.why for each in differences(LINES, stretch({BARE: 900}), unknown).untold] == ["unseen"]
    nothing = differences(LINES, stretch({SENDS: 900}), stretch({}, seconds=0.0, has_gaps=True))
    assert (nothing.is_known, nothing.found, nothing.untold) == (False, (), ())


def test_rates_of_a_stretch_with_a_gap_are_of_the_time_that_was_seen() -> None:
    found = differences(LINES, stretch({SENDS: 900}), stretch({SENDS: 600}, seconds=600.0, has_gaps=True))
    assert found.found == ()


def test_another_version_at_the_end_is_told_with_both() -> None:
    before = stretch({SENDS: 900}, versions={ORDERS: ("1.0",), BILLING: ("2.7.3",), FRAUD: ("1",)})
    after = stretch({SENDS: 900}, versions={ORDERS: ("1.0",), BILLING: ("2.8.0",)})
    assert differences(LINES, before, after).found == (
        Difference(BILLING, "changed", "version", texts=("2.7.3", "2.8.0")),
    )


def test_the_most_telling_stands_first() -> None:
    before = stretch({SENDS: 900, READS: Flow(900, processing=FAST, processing_levels=FIFTEEN_FAST), CHECKS: 90})
    after = stretch({SENDS: 2_700, READS: Flow(900, processing=SLOW, processing_levels=FIFTEEN_SLOW), ASKS: 90})
    assert told(differences(LINES, before, after)) == [
        ("new", "flow", ASKS.id),
        ("gone", "flow", FRAUD),
        ("changed", "processing", READS.id),
        ("changed", "rate", SENDS.id),
    ]
