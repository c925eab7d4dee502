"""What a chart says of its lines: which stopped, and in which order they stand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.charts import age_caption, by_name, chart, rate_caption, without_ages
from dashboard.queries.graph_rows import known_by
from dashboard.queries.lines import Line, Series
from dashboard.queries.marks import Change, Mark
from dashboard.templatetags.charts import chart_rows
from dashboard.templatetags.setting_words import told

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
STEPS = tuple(AT + timedelta(minutes=minute) for minute in range(10))


def series(*values: float | None) -> Series:
    return Series(STEPS, 60.0, Line("in", "/s", values), (), (), (), 0, by_sums=False)


def test_a_line_that_goes_on_is_told_by_its_end() -> None:
    assert rate_caption(series(*[5.0] * 8, None, None)).startswith("Written: 5.0/s at the end;")


def test_a_line_that_stopped_is_told_with_the_time_of_its_last_value() -> None:
    assert rate_caption(series(*[5.0] * 6, *[None] * 4)).startswith(
        "Written: 5.0/s on 28 Nov 12:05 UTC, no sample since;"
    )


def test_an_end_that_fell_is_told_with_its_time() -> None:
    fallen = replace(series(*[5.0] * 5, None, *[5.0] * 4), fell_at=(STEPS[5],))
    assert rate_caption(fallen).endswith(
        "lowest 5.0/s. On 28 Nov 12:05 UTC an end fell: records were lost, how many came is not known."
    )
    often = replace(fallen, fell_at=(STEPS[1], STEPS[3], STEPS[5]))
    assert "On 28 Nov 12:05 UTC, and 2 times before, an end fell" in rate_caption(often)


def test_a_topic_that_was_deleted_is_not_said_to_be_gone_as_well() -> None:
    gone = [Line(name, "s", (1.0,) * 10, is_over=True) for name in ("orders (deleted)", "payments")]
    names = [line["name"] for line in chart(series(), gone, "s", over="read no more")["lines"]]  # type: ignore[attr-defined]
    assert names == ["orders (deleted)", "payments (read no more)"]


def test_nothing_is_carried_past_the_end_of_a_topic() -> None:
    ended = series(*[5.0] * 5, *[0.0] * 5).until(STEPS[4])
    assert ended.rate_in.values == (*[5.0] * 5, *[None] * 5)


def test_lines_keep_their_places_while_they_overtake_each_other() -> None:
    early, late = (Line("billing", "s", (1.0,) * 10), Line("audit", "s", (9.0,) * 10)), Line("in", "/s", (2.0,) * 10)
    assert (
        [line.name for line in by_name(early)] == [line.name for line in by_name(early[::-1])] == ["audit", "billing"]
    )
    assert chart(series(), [late], "/s")["first"] == 0
    assert chart(series(), by_name(early), "s", first=1)["first"] == 1


def behind(*values: float | None, by_sums: bool, too_wide: bool = False) -> Series:
    own = Line("billing", "s", values)
    none = Line("in", "/s", (1.0,) * 10)
    return Series(STEPS, 60.0, none, (), (own,), (own,), 0, by_sums=by_sums, too_wide=too_wide)


def test_the_last_of_highest_values_is_no_lag_of_now() -> None:
    told = age_caption(behind(*[5.0] * 9, 130.0, by_sums=True))
    assert told.startswith("Lag of billing: 2 min 10 s at most since 28 Nov 12:08 UTC;")
    assert told.endswith("Each point is the highest of its 1 min.")
    assert "at the end" in age_caption(behind(*[5.0] * 10, by_sums=False))


def test_lags_that_are_not_drawn_say_why_and_claim_no_gap() -> None:
    wide = behind(*[None] * 10, by_sums=False, too_wide=True)
    assert "more than 200 partitions" in age_caption(wide)
    assert "choose a longer one" in age_caption(wide)
    assert without_ages(wide) == "not drawn: more than 200 partitions"
    assert without_ages(behind(*[None] * 10, by_sums=False)) == "no data in this window"


def test_the_table_under_a_chart_holds_every_step_newest_first() -> None:
    lines = series(*[5.0] * 9, None)
    rows = chart_rows(chart(lines, [lines.rate_in], "/s"), "rate")
    assert rows.count("<tr>") == len(STEPS)
    assert rows.startswith('<tr><td class="nowrap">28 Nov 12:09:00 UTC</td><td class="number">–</td></tr>')
    highest = chart(lines, [lines.rate_in], "s", highest=True)
    assert '<td class="number">≤ 5.0 s</td>' in chart_rows(highest, "duration")


@pytest.mark.parametrize(
    ("name", "before", "after", "told_as"),
    [
        ("retention.ms", "604800000", "86400000", "retention.ms 7 d → 1 d"),
        ("retention.ms", "-1", None, "retention.ms no limit → not set"),
        ("retention.bytes", "1073741824", "1073741825", "retention.bytes 1073741824 → 1073741825"),
        ("segment.bytes", "1000", "2000", "segment.bytes 1.0 kB → 2.0 kB"),
        ("retention.ms", "9" * 40, "x", f"retention.ms {'9' * 40} → x"),
        ("retention.ms", "9" * 19, "-", "retention.ms no limit → -"),
        ("local.retention.ms", "-2", "86400000", "local.retention.ms -2 → 1 d"),
        ("cleanup.policy", "delete", "compact", "cleanup.policy delete → compact"),
        ("max.compaction.lag.ms", "²", "0", "max.compaction.lag.ms ² → 0 s"),
    ],
)
def test_a_changed_setting_is_told_in_words_where_words_differ(
    name: str, before: str, after: str | None, told_as: str
) -> None:
    mark = Mark(AT, "config", "orders", "orders: raw", (Change(name, before, after),))
    assert told(mark) == f"orders: {told_as}"
    assert told(Mark(AT, "version", "billing", "billing 2 seen first")) == "billing 2 seen first"


def test_evidence_of_several_edges_is_each_word_once_the_strongest_first() -> None:
    class Known:
        def __init__(self, *evidence: str) -> None:
            self.evidence = evidence

    assert known_by([Known("sampled", "traced"), Known("traced")], "offsets") == ("traced", "offsets", "sampled")  # type: ignore[list-item]


def test_a_line_that_ends_says_why_in_its_name() -> None:
    over = Line("billing", "s", (1.0,) * 10).over(STEPS[4], STEPS)
    ended = series(*[5.0] * 10)
    assert chart(ended, [over], "s")["lines"] == [{"name": "billing (gone)", "values": [*[1.0] * 5, *[None] * 5]}]
    assert chart(ended, [over], "s", over="read no more")["lines"] == [
        {"name": "billing (read no more)", "values": [*[1.0] * 5, *[None] * 5]}
    ]
