"""What people decide of single letters, as rows."""

from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import ItemStatus
from collector.domain.frames import unframed
from collector.domain.records import Headers


@dataclass(frozen=True, slots=True)
class Ended:
    """A send that a person ended: where it went, and the edited copy (value, headers, reason) if it was one."""

    target: str
    edited: tuple[bytes, Headers, str] | None


def end_undecided(
    cursor: CursorWrapper, letter: int, *, status: ItemStatus, outcome: str, now: datetime
) -> Ended | None:
    """End the letter's send that is unknown, or that gave no answer within its wait; None where there was none."""
    cursor.execute(
        "update retry_item i set status = %s, ended_at = %s, outcome = %s from retry_operation o, topic t"
        " where o.id = i.operation_id and t.id = i.target_topic_id and i.dead_letter_id = %s and (i.status = 3"
        "  or (i.status = 2 and i.sent_at <= %s - make_interval(secs => o.wait_seconds)))"
        " returning t.name, i.edited_value, i.edited_headers, i.edit_reason",
        [int(status), now, outcome, letter, now],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    target, value, headers, reason = row
    return Ended(target, None if headers is None else (value, unframed(headers), reason))
