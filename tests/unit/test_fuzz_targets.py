"""What a fuzzer would run for minutes holds for the samples, for pieces of them, and for any bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import seeds
from tests.fuzz.targets import TARGETS

SEEDS = seeds()


def test_every_folder_of_seeds_is_of_a_target() -> None:
    assert SEEDS.keys() <= TARGETS.keys()
    assert all(SEEDS.values())


@pytest.mark.parametrize("name", TARGETS)
def test_samples_break_no_promise(name: str) -> None:
    for seed in SEEDS.get(name, ())[:40]:
        TARGETS[name](seed)
        TARGETS[name](seed[: len(seed) // 2])


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_any_bytes_break_no_promise(name: str, data: bytes) -> None:
    TARGETS[name](data)
