"""How tidy the graph's layout is: what a new one would save, and whether the last tidying can be undone."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

UNDO_SECONDS = 10
_WORTH_FACTOR, _WORTH_LEAST = 1.5, 3  # crossings of the layout as it grew, against those of a new one


@dataclass(frozen=True, slots=True)
class Tidiness:
    """Crossings of the edges as the nodes stand, and of a new layout; None is not measured yet."""

    n_crossings: int | None
    n_fewest: int | None
    undo_seconds: float

    @property
    def saving(self) -> float | None:
        """Share of the crossings that a new layout would save; None where it is not worth offering."""
        if self.n_crossings is None or self.n_fewest is None:
            return None
        saved = self.n_crossings - self.n_fewest
        worth = saved >= _WORTH_LEAST and self.n_crossings >= _WORTH_FACTOR * self.n_fewest
        return saved / self.n_crossings if worth else None


def tidiness(*, now: datetime) -> Tidiness:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select n_crossings, n_fewest, case when before is null then null else tidied_at end"
            " from layout order by version desc limit 1"
        )
        row = cursor.fetchone()
    if row is None:
        return Tidiness(None, None, 0)
    n_crossings, n_fewest, tidied_at = row
    left = UNDO_SECONDS - (now - tidied_at).total_seconds() if tidied_at else 0
    return Tidiness(n_crossings, n_fewest, max(0, left))


def pinned_by(node: str) -> str | None:
    """Who pinned a node to its place; None where nobody did. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select pinned_by from layout_node where node = %s", [node])
        row = cursor.fetchone()
    return row[0] if row else None
