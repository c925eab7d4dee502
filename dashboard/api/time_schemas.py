"""The API's answers about the graph through time. Times are ISO 8601 UTC; None is unknown, never 0."""

from typing import Any, Literal

from ninja import Field, Schema


class Frame(Schema):
    """The graph of one window: of the first frame whole, of the others what changed, by id.

    A row that is gone is null; a row that changed has only the fields that did; where nothing did, `nodes` or `edges`
    is left out. The fields are those of `GET graph`;
    waits and processing times are null. `is_seen`: somebody looked in its last step; else what flowed is unknown.
    """

    from_: str = Field(alias="from")
    to: str
    is_seen: bool
    n_idle: int
    nodes: dict[str, dict[str, Any] | None] | None = None
    edges: dict[str, dict[str, Any] | None] | None = None


class FramesAnswer(Schema):
    """At most 30 frames, fewer where they cost a second of work. `next`: the end of the window after the last one."""

    step_seconds: float
    frames: list[Frame]
    next: str | None


class ComparedWindow(Schema):
    """One of two equally long windows, and for how long of it somebody looked."""

    from_: str = Field(alias="from")
    to: str
    seen_seconds: float


class DifferenceItem(Schema):
    """One difference. `title` and `sentence` together are a sentence with both numbers, their unit and the windows."""

    id: str
    what: Literal["new", "gone", "changed"]
    title: str
    measure: str
    before: str
    after: str
    change: str
    sentence: str


class UntoldItem(Schema):
    """What is too quiet to tell, or was not seen, and why."""

    id: str
    title: str
    sentence: str


class ComparisonAnswer(Schema):
    """The differences, the most telling first, at most 500. `is_known`: false where nobody looked in one window."""

    before: ComparedWindow
    after: ComparedWindow
    is_known: bool
    heading: str
    differences: list[DifferenceItem]
    untold: list[UntoldItem]
    truncated: bool


class Beat(Schema):
    """One step from `at` on: sends and readings per second, by spans; null where nobody looked."""

    at: str
    rate: float | None
    failed: int


class Gap(Schema):
    """A stretch in which nobody looked: no broker was seen, no span of then was counted."""

    from_: str = Field(alias="from")
    to: str


class TimelineAnswer(Schema):
    """A window in steps. `resolution`: how finely its counts are kept, and for how long."""

    from_: str = Field(alias="from")
    to: str
    kept_since: str | None
    resolution: str
    step_seconds: float
    beats: list[Beat]
    gaps: list[Gap]
