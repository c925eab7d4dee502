"""What the lists of topics, groups and services have in common: a window, a cursor, a limit."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

from ninja import Query

from dashboard.queries import wire

From = Annotated[str | None, Query(alias="from", max_length=40)]
To = Annotated[str | None, Query(max_length=40)]
After = Annotated[str, Query(max_length=8000)]  # an id of any name, percent-encoded
Limit = Annotated[int, Query(ge=1, le=1000)]
Clusters = Annotated[list[str] | None, Query(alias="cluster", max_length=50)]
"""Names; none is all."""


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_Named)


def listing(
    rows: Sequence[Row], limit: int, *, truncated: bool, as_of: datetime | None, row: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """The first `limit` rows, and the cursor of those behind them. `truncated`: there are more than these rows."""
    page = rows[:limit]
    more = page[-1].id if len(rows) > limit or (truncated and page) else None
    return {
        "as_of": wire.iso(as_of),
        "items": [row(each) for each in page],
        "next": more,
        "truncated": more is not None,
    }
