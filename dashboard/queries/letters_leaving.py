"""The list of dead letters in the order in which their records leave Kafka."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from dashboard.queries.dead_letters import PAGE, ROWS, LetterRow, asked_for, fit_to_see, row_of
from dashboard.queries.letter_filter import Condition
from dashboard.queries.open_leaves import by_index

MOST_LOOKED = 20_000  # letters that are looked through for a page
_CURSOR = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A page. `next` is the cursor of what is behind it; `is_part`: it ends where MOST_LOOKED were looked through."""

    items: tuple[LetterRow, ...]
    next: str | None
    is_part: bool


def leaving_letters(
    *,
    status: str | None = None,
    failure_group: int | None = None,
    filtered: Condition | None = None,
    after: str = "",
    last_first: bool = False,
    now: datetime,
) -> Leaving:
    """Letters whose record is still in Kafka and will leave it: the first to go first, or the last ones.

    By the index of when they leave, from the cursor `after` on; how letters stand is no part of it, so that where
    hardly one of them is wanted a page ends early, and says so. Three statements at most. Raises BadStatus.
    """
    said, values = asked_for(status, failure_group, filtered)
    where = f" where {' and '.join(said)}" if said else ""
    sign, direction = ("<", " desc") if last_first else (">", "")
    at = _at(after)
    behind = f" and (e.expires_at, e.id) {sign} (%(after_at)s::timestamptz, %(after_id)s)" if at else ""
    ordered = f"order by e.expires_at{direction}, e.id{direction}"
    leaving = f"select e.id, e.expires_at from dead_letter e where e.expires_at > %(now)s{behind} {ordered}"  # noqa: S608
    parameters: dict[str, Any] = {**values, **at, "now": now, "most": MOST_LOOKED, "limit": PAGE + 1}
    with by_index(), connection.cursor() as cursor:
        cursor.execute(
            f"{ROWS} join ({leaving} limit %(most)s) e on e.id = s.dead_letter_id{where} {ordered} limit %(limit)s",
            parameters,
        )
        rows = [row_of(row) for row in cursor.fetchall()]
        last = None
        if len(rows) <= PAGE:
            cursor.execute(f"{leaving} offset %(most)s - 1 limit 1", parameters)
            last = cursor.fetchone()
    items = tuple(fit_to_see(rows)[:PAGE])
    if len(rows) > PAGE and (leaves_at := items[-1].expires_at) is not None:
        return Leaving(items, _cursor(items[-1].id, leaves_at), is_part=False)
    return Leaving(items, _cursor(*last) if last else None, is_part=last is not None)


def _cursor(number: int, at: datetime) -> str:
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{number}"


def _at(cursor: str) -> dict[str, Any]:
    found = _CURSOR.fullmatch(cursor)
    if not found:
        return {}
    return {"after_at": _EPOCH + timedelta(microseconds=int(found[1])), "after_id": int(found[2])}
