"""Log-scale histograms: what they may be wrong by, and that nothing is lost on the way to bytes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import histograms
from collector.domain.histograms import LAST_BIN, WORST_ERROR
from collector.domain.varints import Malformed

durations = st.floats(min_value=0.011, max_value=3e8)
counts = st.dictionaries(st.integers(0, LAST_BIN), st.integers(1, 2**40), max_size=60)


@given(durations)
def test_a_duration_is_shown_within_five_percent(milliseconds: float) -> None:
    shown = histograms.value_of(histograms.bin_of(milliseconds))
    assert abs(shown - milliseconds) <= milliseconds * (WORST_ERROR + 1e-6)


def test_what_is_below_or_above_the_scale_stays_on_it() -> None:
    assert histograms.bin_of(0) == 0
    assert histograms.bin_of(1e12) == LAST_BIN


@given(counts)
def test_bytes_give_back_the_same_histogram(histogram: dict[int, int]) -> None:
    assert histograms.decoded(histograms.encoded(histogram)) == histogram


@given(st.dictionaries(st.integers(0, LAST_BIN), st.sampled_from([1, 127, 128, 300]), max_size=LAST_BIN + 1))
def test_counts_of_one_byte_and_of_more_are_read_alike(histogram: dict[int, int]) -> None:
    assert histograms.decoded(histograms.encoded(histogram)) == histogram


@given(counts, counts, counts)
def test_merging_has_no_order_and_loses_nothing(
    one: dict[int, int], two: dict[int, int], three: dict[int, int]
) -> None:
    left = histograms.merged([histograms.merged([one, two]), three])
    assert left == histograms.merged([one, histograms.merged([three, two])])
    assert sum(left.values()) == sum(sum(each.values()) for each in (one, two, three))


@given(st.lists(durations, min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_within_five_percent_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    shown = histograms.percentile(histograms.counted(values), share)
    assert shown == pytest.approx(exact, rel=WORST_ERROR + 1e-6)


def test_nothing_has_no_percentile() -> None:
    assert histograms.percentile({}, 0.5) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_histogram_or_refused(body: bytes) -> None:
    try:
        found = histograms.decoded(body)
    except Malformed:
        return
    assert all(0 <= number <= LAST_BIN for number in found)
