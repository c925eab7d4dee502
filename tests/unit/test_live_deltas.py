"""What is sent when a body changed."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.live import deltas
from dashboard.queries.body_changes import Body, changes
from tests.unit.frames import payload

_rows = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(st.integers(), st.dictionaries(st.sampled_from("xyz"), st.one_of(st.none(), st.integers()), min_size=1)),
    max_size=4,
)
_bodies = st.dictionaries(st.sampled_from(["nodes", "edges", "about"]), _rows)


def merged(body: Body, changed: Body) -> dict[str, dict[str, Any]]:
    """As a page does it: null is gone, objects are merged by field."""
    result = {section: dict(rows) for section, rows in body.items()}
    for section, rows in changed.items():
        into = result.setdefault(section, {})
        for key, row in rows.items():
            if row is None:
                into.pop(key, None)
            elif isinstance(row, dict) and isinstance(into.get(key), dict):
                into[key] = {**into[key], **row}
            else:
                into[key] = row
    return result


def without_nothing(body: Body) -> dict[str, dict[str, Any]]:
    """A field that is null and one that is not there are the same to a page, as are an empty section and none."""
    bare = {
        section: {
            key: {name: value for name, value in row.items() if value is not None} if isinstance(row, dict) else row
            for key, row in rows.items()
        }
        for section, rows in body.items()
    }
    return {section: rows for section, rows in bare.items() if rows}


@given(_bodies, _bodies)
def test_the_old_body_merged_with_the_changes_is_the_new_body(before: Body, after: Body) -> None:
    assert without_nothing(merged(before, changes(before, after))) == without_nothing(after)


@given(_bodies)
def test_nothing_changed_says_nothing(body: Body) -> None:
    assert changes(body, body) == {}


def test_only_the_fields_that_changed_are_sent() -> None:
    before = {"nodes": {"a": {"name": "orders", "rate": 1}, "b": {"name": "x"}}}
    after = {"nodes": {"a": {"name": "orders", "rate": 2}}}
    assert changes(before, after) == {"nodes": {"a": {"rate": 2}, "b": None}}


def test_messages_say_their_stream_number_and_base() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    message = json.loads(payload(deltas.delta("graph:900", 7, base=5, as_of=at, changed={"nodes": {"a": None}})))
    assert message == {
        "stream": "graph:900",
        "seq": 7,
        "base": 5,
        "kind": "delta",
        "as_of": "2026-01-01T00:00:00.000Z",
        "nodes": {"a": None},
    }
