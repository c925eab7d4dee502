"""One value out of framed headers, without unpacking the others."""

from hypothesis import given
from hypothesis import strategies as st

from collector.domain.frames import MOST_PLAIN, first_plain, framed, packed
from collector.domain.records import Headers

NAMES = st.sampled_from(["tenant", "a", "", "é", "\udcff"])
VALUES = st.none() | st.binary(max_size=20) | st.just(b"x" * (MOST_PLAIN + 1))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)


def plain(value: bytes | None) -> bytes | None:
    return value if value is not None and len(value) <= MOST_PLAIN else None


@given(HEADERS, NAMES)
def test_the_first_value_of_a_name_is_found_in_both_shapes(headers: Headers, name: str) -> None:
    first = next((value for its, value in headers if its == name), None)
    assert first_plain(framed(headers), name) == first
    assert first_plain(packed([headers])[0], name) == plain(first)


@given(st.binary(max_size=60), NAMES)
def test_what_is_malformed_has_no_value_and_raises_nothing(body: bytes, name: str) -> None:
    found = first_plain(body, name)
    assert found is None or found in body


@given(HEADERS, st.integers(0, 200), NAMES)
def test_a_cut_off_body_has_no_value_that_was_not_there(headers: Headers, end: int, name: str) -> None:
    found = first_plain(framed(headers)[:end], name)
    assert found is None or any(found == value for its, value in headers if its == name)
