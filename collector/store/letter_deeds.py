"""What people decide of single letters, as rows."""

from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import ItemStatus
from collector.domain.frames import unframed
from collector.domain.records import Headers


@dataclass(frozen=True, slots=True)
class Ended:
    """A send that a person ended: where it was asked to go (None: the usual way), and what was edited, if anything."""

    target: str | None
    edit: tuple[bytes, Headers, str] | None


def end_undecided(
    cursor: CursorWrapper, letter: int, *, status: ItemStatus, outcome: str, now: datetime
) -> Ended | None:
    """End the letter's send that is unknown, or that gave no answer within its wait; None: there is none."""
    cursor.execute(
        "update retry_item i set status = %s, ended_at = %s, outcome = %s from retry_operation o"
        " where o.id = i.operation_id and i.dead_letter_id = %s and (i.status = 3"
        "  or (i.status = 2 and i.sent_at <= %s - make_interval(secs => o.wait_seconds)))"
        " returning o.target_name, i.edited_value, i.edited_headers, i.edit_reason",
        [int(status), now, outcome, letter, now],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    target, value, headers, reason = row
    return Ended(target, None if headers is None else (value, unframed(headers), reason))
