"""What lists have in common: filter, order, how many rows; which time ranges a page offers; limits on charts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory

from dashboard import shell
from dashboard.charts import retention_limit
from dashboard.lists import listed
from dashboard.queries.filters import Subject
from dashboard.queries.window import parse

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
NAMES = [f"topic-{number:04}" for number in range(1200)]


def found(query: str, names: list[str] = NAMES) -> dict[str, object]:
    return listed(
        RequestFactory().get(f"/topics/?{query}"),
        names,
        subject=lambda name: Subject("topic", name, "ok", rate=float(name[-1])),
        columns={"name": lambda name: name, "rate": lambda name: (name[-1], name)},
        default_sort="name",
        presets=(),
    )


@pytest.mark.parametrize(
    ("query", "n_rows", "n_more", "n_matching"),
    [
        ("", 100, 100, 1200),
        ("rows=300", 300, 100, 1200),
        ("rows=250", 300, 100, 1200),
        ("rows=1000", 1000, 0, 1200),
        ("rows=99999", 1000, 0, 1200),
        ("rows=-5", 100, 100, 1200),
        ("rows=\u0662", 100, 100, 1200),
        ("q=topic-01", 100, 0, 100),
        ("q=topic-01+or+topic-001", 100, 10, 110),
        ("q=rate%3E8/s", 100, 20, 120),
    ],
)
def test_a_list_shows_a_hundred_rows_and_as_many_more_as_are_asked_for(
    query: str, n_rows: int, n_more: int, n_matching: int
) -> None:
    facts = found(query)
    assert len(facts["rows"]) == n_rows  # type: ignore[arg-type]
    assert (facts["n_more"], facts["n_matching"]) == (n_more, n_matching)


def test_the_rows_shown_are_the_first_of_all_that_match_in_the_order_asked_for() -> None:
    assert found("sort=-name")["rows"][0] == "topic-1199"  # type: ignore[index]
    assert found("sort=-rate&q=topic-00")["rows"][:2] == ["topic-0099", "topic-0089"]  # type: ignore[index]


def test_a_filter_that_cannot_be_understood_leaves_all_and_says_why() -> None:
    facts = found("q=lag%3E30")
    assert facts["n_matching"] == 1200
    assert "needs a unit" in str(facts["problem"])


@pytest.mark.parametrize(
    ("keeps", "longest", "words"),
    [
        (timedelta(days=400), "Last 30 d", ""),
        (timedelta(days=30), "Last 30 d", ""),
        (timedelta(days=7), "Last 7 d", "7 d"),
        (timedelta(hours=36), "Last 24 h", "1 d 12 h"),
    ],
)
def test_a_range_longer_than_what_is_kept_is_not_offered(keeps: timedelta, longest: str, words: str) -> None:
    span = parse("now-7d", "now", now=NOW)
    offered = shell.time_range(RequestFactory().get("/topics/?from=now-7d"), span, keeps=keeps)
    assert offered.choices[-1][1] == longest
    assert offered.keeps == words


def test_a_page_of_days_polls_and_asks_for_no_stream() -> None:
    assert shell.stream("topics", parse("now-24h", "now", now=NOW)) == "topics:86400"
    assert shell.stream("topics", parse("now-7d", "now", now=NOW)) == " "


def test_the_limit_on_a_chart_of_lag_is_the_shortest_that_its_topics_keep() -> None:
    assert retention_limit({"orders": None}) is None
    alone = retention_limit({"orders": 86_400.0})
    assert alone
    assert (alone.value, alone.words) == (86_400.0, "retention limit 1 d")
    several = retention_limit({"orders": 604_800.0, "refunds": 3_600.0, "prices": None})
    assert several
    assert several.words == "retention limit of refunds 1 h"
