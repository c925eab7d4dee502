"""What the pages write: numbers, times, foreign text, links that keep the time range, the import map."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import histograms
from dashboard.queries import wire
from dashboard.templatetags import formats
from dashboard.templatetags.foreign import spelled
from dashboard.templatetags.scripts import imported
from dashboard.templatetags.sorting import ordered

NOW = datetime(2026, 11, 23, 14, 2, 7, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0/s"), (0.42, "0.42/s"), (418, "420/s"), (1180, "1.2 k/s"), (0.05, "3.0/min"),
        (0.001, "3.6/h"), (0.0999, "6.0/min"), (9.96, "10/s"), (999.9, "1.0 k/s"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_a_rate_has_two_digits_and_the_unit_that_fits(value: float | None, text: str) -> None:
    assert formats.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0 s"), (0.00024, "240 µs"), (0.14, "140 ms"), (4.1, "4.1 s"), (190, "3 min 10 s"),
        (59.7, "1 min"), (0.9996, "1.0 s"), (0.0009999, "1.0 ms"), (187_200, "2 d 4 h"),
        (3600, "1 h"), (-0.038, "−38 ms"), (341_900, "3 d 22 h"), (342_100, "3 d 23 h"),
    ],
)  # fmt: skip
def test_a_duration_has_two_digits_then_two_units(value: float | None, text: str) -> None:
    assert formats.duration(value) == text


@pytest.mark.parametrize("days", [4, 30, 4_000])
def test_a_wait_that_is_longer_than_histograms_tell_apart_is_a_bound(days: int) -> None:
    known = histograms.percentile(histograms.counted([days * 86_400_000.0]), 0.5)
    assert known is not None
    assert formats.binned(known / 1000) == ">3 d 18 h"
    rounded = wire.seconds(known / 1000)
    assert isinstance(rounded, float)
    assert formats.binned(rounded) == ">3 d 18 h"
    assert formats.summed(known / 1000 + 60, is_whole=True) == ">3 d 18 h"


def test_a_duration_that_histograms_tell_is_written_like_any_other() -> None:
    known = histograms.percentile(histograms.counted([3 * 86_400_000.0]), 0.5)
    assert known is not None
    assert formats.binned(known / 1000) == formats.duration(known / 1000)
    assert formats.binned(None) == formats.summed(None, is_whole=False) == formats.NONE


def test_a_sum_says_that_it_is_about_or_at_least() -> None:
    said = Template(
        "{% load weir %}{{ s|summed:0 }} {{ s|summed:1 }} {{ s|at_least:0 }} {{ s|at_least:1 }} {{ z|at_least:1 }}"
    )
    assert said.render(Context({"s": 0.14, "z": 0.0})) == "≈140 ms ≥140 ms 140 ms at least 140 ms not known"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (9_999, "9,999"), (80_214, "80 k"), (1_204_311, "1.2 M"), (999_999, "1.0 M")],
)
def test_a_count_is_exact_up_to_four_digits(value: float | None, text: str) -> None:
    assert formats.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0 %"), (1, "100 %"), (0.0001, "<0.1 %"), (0.004, "0.40 %"), (0.61, "61 %"),
        (0.9999, ">99.9 %"), (0.995, "99.5 %"),
    ],
)  # fmt: skip
def test_the_ends_of_a_percentage_are_never_rounded_away(value: float | None, text: str) -> None:
    assert formats.percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(999, "999 B"), (1_234, "1.2 kB"), (64_000_000, "64 MB"), (None, "–")])
def test_a_size_counts_in_thousands(value: float | None, text: str) -> None:
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(milliseconds=300), "now"), (timedelta(seconds=59), "59 s ago"), (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"), (timedelta(days=1), "22 Nov 14:02 UTC"),
    ],
)  # fmt: skip
def test_a_time_is_relative_for_a_day(before: timedelta, text: str) -> None:
    assert formats.ago(NOW - before, now=NOW) == text


@given(st.text())
def test_no_text_hides_signs_or_turns_the_line_around(text: str) -> None:
    said = spelled(text)
    assert not any(sign in said for sign in "\u202e\u200b\u2066\ufeff\x00\x1b\u0085\u2028\ud800\xad")


def test_foreign_text_is_escaped_isolated_and_spelled_out() -> None:
    html = Template("{% load weir %}<i title='{{ name|plain }}'>{{ name|shown }}</i>").render(
        Context({"name": "<b>a\u202eb</b>'"})
    )
    assert html == ("<i title='&lt;b&gt;a\\u202eb&lt;/b&gt;&#x27;'><bdi>&lt;b&gt;a\\u202eb&lt;/b&gt;&#x27;</bdi></i>")


def test_a_long_name_keeps_both_ends_and_the_whole_as_its_title() -> None:
    html = Template("{% load weir %}{{ name|short:11 }}").render(Context({"name": "orders.of.the.north"}))
    assert html == '<bdi title="orders.of.the.north">order…north</bdi>'


def test_a_link_keeps_the_time_range_and_nothing_else() -> None:
    request = RequestFactory().get("/", {"from": "now-1h", "sel": "topic:demo/x"})
    html = Template("{% load weir %}{% carry '/topics/' q='a b' %}").render(Context({"request": request}))
    assert html == "/topics/?from=now-1h&amp;q=a+b"


def test_this_page_again_with_one_parameter_changed() -> None:
    request = RequestFactory().get("/", {"from": "now-1h", "sel": "x"})
    html = Template("{% load weir %}{% here sel=None view='table' %}").render(Context({"request": request}))
    assert html == "/?from=now-1h&amp;view=table"


def test_the_import_map_is_json_that_cannot_end_its_element() -> None:
    request = RequestFactory().get("/")
    setattr(request, "csp_nonce", "n0nce")  # noqa: B010 - as the middleware does
    html = Template("{% load scripts %}{% import_map %}").render(Context({"request": request}))
    head, _, rest = html.partition(">")
    assert head == '<script type="importmap" nonce="n0nce"'
    body = rest.removesuffix("</script>")
    assert "<" not in body
    assert json.loads(body)["imports"]["uplot"].startswith("/static/vendor/uplot/uPlot.esm")


def test_a_module_is_loaded_with_all_that_it_imports_and_no_page_names_one_twice() -> None:
    """Without, a browser would learn of each only when it has read the one that imports it."""
    names = imported("js/pages/overview.js")
    assert "js/elements/graph/signs.js" in names  # third hand
    assert "js/elements/time-chart.js" not in names  # only with a panel
    html = Template('{% load scripts %}{% script "js/app.js" %}{% script "js/pages/overview.js" %}').render(Context())
    links = re.findall(r'<link rel="modulepreload" href="([^"]+)">', html)
    assert len(links) == len(set(links)) == len({*names, *imported("js/app.js")})
    assert [name.split(".")[0] for name in re.findall(r'src="/static/js/([^"]+)"', html)] == ["app", "pages/overview"]


def test_missing_values_stay_last_in_both_directions() -> None:
    rows: list[dict[str, int | None]] = [{"n": 2}, {"n": None}, {"n": 1}]
    columns: dict[str, Any] = {"n": lambda row: row["n"]}
    assert [row["n"] for row in ordered(rows, "n", columns)] == [1, 2, None]
    assert [row["n"] for row in ordered(rows, "-n", columns)] == [2, 1, None]
    assert ordered(rows, "nonsense", columns) == rows
