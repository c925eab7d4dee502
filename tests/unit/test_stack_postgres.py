"""The embedded Postgres' settings."""

import pytest

from stack import postgres

GB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "expected"), [(GB, "128MB"), (4 * GB, "256MB"), (16 * GB, "1024MB"), (512 * GB, "1024MB")]
)
def test_it_takes_a_sixteenth_of_the_memory_within_bounds(memory: int, expected: str) -> None:
    assert postgres.buffers(memory) == expected
