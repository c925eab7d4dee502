"""What people decide of single letters, as rows."""

from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import ItemStatus


def end_undecided(cursor: CursorWrapper, letter: int, *, status: ItemStatus, outcome: str, now: datetime) -> bool:
    """End the letter's send that is unknown, or that gave no answer within its wait; whether there was one."""
    cursor.execute(
        "update retry_item i set status = %s, ended_at = %s, outcome = %s from retry_operation o"
        " where o.id = i.operation_id and i.dead_letter_id = %s and (i.status = 3"
        "  or (i.status = 2 and i.sent_at <= %s - make_interval(secs => o.wait_seconds)))",
        [int(status), now, outcome, letter, now],
    )
    return bool(cursor.rowcount)
