"""What a chart says of its lines: which stopped, and in which order they stand."""

from datetime import UTC, datetime, timedelta

from dashboard.charts import by_name, chart, rate_caption
from dashboard.queries.lines import Line, Series

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
