"""How many spans a sampled one stands for, as the specification's examples have it."""

import pytest

from collector.domain.sampling import MOST_MORE, more


@pytest.mark.parametrize(
    ("trace_state", "expected"),
    [
        ("", 0.0),
        ("congo=t61rcWkgMzE", 0.0),
        ("ot=th:0", 0.0),
        ("ot=th:8", 1.0),  # one in two
        ("ot=th:c", 3.0),  # one in four
        ("ot=th:c;rv:6e6d1a75832a2f", 3.0),
        ("ot=rv:6e6d1a75832a2f;th:c", 3.0),
        ("vendor=ot, ot=th:8,other=th:c", 1.0),
        ("ot=p:2;r:8", 3.0),
        ("ot=p:0", 0.0),
        ("ot=p:63", 0.0),
        ("ot=th:c;p:9", 3.0),
        ("ot=th:", 0.0),
        ("ot=th:xyz", 0.0),
        ("ot=th:c0c0c0c0c0c0c0c", 0.0),  # too long
        ("not=th:c", 0.0),
        ("x=ot=th:c", 0.0),
        ("ot=th:ffffffffffffff", MOST_MORE),
        ("ot=p:62", MOST_MORE),
    ],
)
def test_a_trace_state_says_how_many_were_dropped(trace_state: str, expected: float) -> None:
    assert more(trace_state) == expected


def test_a_long_one_is_not_read_to_its_end() -> None:
    assert more("a=" + "," * 100_000 + "ot=th:c") == 0.0
