"""The filter language, and the graph narrowed by it."""

import contextlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.queries.filters import BadFilter, Filter, Subject, parse
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.narrowing import Focus, narrowed
from dashboard.queries.window import parse as window

BILLING = Subject("service", "billing-svc", "failing", frozenset({"traced", "offsets"}), 900, 190.0, 0.4, 0.03)
READER = Subject("group", "billing", "failing", verdicts=frozenset({"NO COMMITS", "STALLED"}),
                 tied=frozenset({("topic", "orders.created"), ("topic", "refunds")}))  # fmt: skip
AUDIT = Subject("group", "audit", "ok", frozenset({"offsets"}), 0, 0.2, 420.0, None, guessed=True)
LETTERS = Subject("topic", "orders.created.dlq", "degraded", frozenset({"traced"}), None, None, 0.0, None, 12)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "billing-svc audit orders.created.dlq"),
        ("BILL", "billing-svc"),
        ('"ing-s"', "billing-svc"),
        ("-audit", "billing-svc orders.created.dlq"),
        ("topic:orders.*", "orders.created.dlq"),
        ("group:audit or service:billing*", "billing-svc audit"),
        ("health:bad", "billing-svc orders.created.dlq"),
        ("health:bad -has:dead-letters", "billing-svc"),
        ("-known:traced", "audit"),
        ("is:guessed", "audit"),
        ("lag>3min", "billing-svc"),
        ("lag>=900msg", "billing-svc"),
        ("lag<1s", "audit"),
        ("rate<1/s", "billing-svc orders.created.dlq"),
        ("rate>=30/min", "audit"),
        ("failed>2%", "billing-svc"),
        ("or", "billing-svc audit orders.created.dlq"),
    ],
)
def test_a_filter_holds_for_what_it_says(text: str, names: str) -> None:
    found = [subject.name for subject in (BILLING, AUDIT, LETTERS) if parse(text).matches(subject)]
    assert " ".join(found) == names


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("verdict:stalled", True),
        ("verdict:no-commits", True),
        ("verdict:ok", False),
        ("topic:orders.*", True),
        ("topic:payments", False),
        ("topic:refunds -verdict:slow", True),
        ("group:bill*", True),
        ("version:2.8.0", False),
    ],
)
def test_a_group_is_found_by_its_verdicts_and_by_what_it_reads(text: str, holds: bool) -> None:
    assert parse(text).matches(READER) is holds


def test_what_is_unknown_is_neither_above_nor_below() -> None:
    unknown = replace(BILLING, lag_seconds=None)
    assert not parse("lag>0s").matches(unknown)
    assert not parse("lag<9d").matches(unknown)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lag>30", "“lag>30” needs a unit: try lag>30s or lag>30msg."),
        ("rate<1s", "“rate<1s” needs a unit: try rate<1/s or rate<1/min."),
        ("failed>many", "“failed>many” needs a number with its unit: try failed>1%."),
        ("health:poor", "“health:poor”: health is one of bad, failing, degraded, ok, idle, unknown."),
        ("colour:red", "“colour:” is no field."),
    ],
)
def test_a_wrong_term_says_what_to_try(text: str, sentence: str) -> None:
    with pytest.raises(BadFilter, match="^" + sentence.replace(".", r"\.")):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_told_why_not(text: str) -> None:
    with contextlib.suppress(BadFilter):
        assert parse(text).matches(BILLING) in {True, False}


def node(identity: str, health: str = "ok") -> Node:
    kind, name = identity.split(":")
    return Node(identity, kind, name, "demo", "business", health, "", 1.0, None, 0, None, None, guessed=False)


def edge(source: str, target: str) -> Edge:
    return Edge(f"{source}>{target}", source, target, "produce", None, None, ("traced",), 10, "spans", 0, 1.0, None,
                None, None, None, "ok", "")  # fmt: skip


def chain() -> Graph:
    """orders -> created -> billing -> payments -> mailer, and shipping, which reads created, too."""
    at = datetime(2026, 11, 23, 14, tzinfo=UTC)
    names = ("service:orders", "topic:created", "service:billing", "topic:payments", "service:mailer")
    edges = [edge(a, b) for a, b in itertools.pairwise(names)] + [edge("topic:created", "service:shipping")]
    nodes = tuple(node(name) for name in (*names, "service:shipping"))
    fresh = Freshness(at, at, fold_delayed=False, scan_delayed=False, seq=1)
    return Graph(at, window(None, None, now=at), 60, at, nodes, tuple(edges), 0, fresh)


@pytest.mark.parametrize(
    ("focus", "left"),
    [
        (Focus("service:billing", 1), "topic:created service:billing topic:payments"),
        (Focus("service:billing", 2, "up"), "service:orders topic:created service:billing"),
        (Focus("topic:payments", 5, "down"), "topic:payments service:mailer"),
    ],
)  # fmt: skip
def test_a_focus_keeps_what_stands_within_its_hops(focus: Focus, left: str) -> None:
    drawn = chain()
    gone = narrowed(drawn, find=Filter(), hide=Filter(), focus=focus).left_out
    assert [each.id for each in drawn.nodes if each.id not in gone] == left.split()


def test_hidden_nodes_are_not_found_and_a_focus_on_nobody_hides_nobody() -> None:
    result = narrowed(chain(), find=parse("ing"), hide=parse("shipping"), focus=Focus("service:gone"))
    assert result.found == ("service:billing",)
    assert result.left_out == {"service:shipping"}
