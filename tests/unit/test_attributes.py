"""Attributes that many spans share are kept; what tells single events apart is not."""

import json

from hypothesis import given
from hypothesis import strategies as st

from collector.domain.attributes import MAX_BODY, joined, shared


def test_ids_offsets_sizes_and_times_are_left_out() -> None:
    span: dict[str, str | int | float] = {
        "messaging.system": "kafka",
        "messaging.kafka.message.offset": 88123,
        "messaging.message.id": "orders.7.88123",
        "messaging.destination.partition.id": "7",
        "http.url": "https://shop/orders/4711",
        "http.status_code": 500,
        "order.uuid": "1f8b7c1e-3a0d-4f7e-9c0a-5f2b6f1f0a11",
        "took_ns": 123456789,
        "load": 0.75,
    }
    assert json.loads(joined(span=shared(dict(span)), resource=shared({"service.name": "orders"}))) == {
        "span": {"messaging.system": "kafka", "http.status_code": 500},
        "resource": {"service.name": "orders"},
    }


def test_the_order_of_attributes_makes_no_other_set() -> None:
    assert shared({"a": "x", "b": "y"}) == shared({"b": "y", "a": "x"})


VALUES = st.recursive(
    st.text() | st.integers() | st.floats() | st.booleans() | st.binary() | st.none(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=50), VALUES, max_size=8))
def test_any_attributes_become_a_json_object(attributes: dict[str, object]) -> None:
    assert isinstance(json.loads(shared(attributes)), dict)  # type: ignore[arg-type]


def test_a_set_is_bounded() -> None:
    many = {f"name-{number}": "x" * 900 for number in range(500)}
    assert 2 < len(shared(many)) <= MAX_BODY
