"""What people write to a failure group: who looks after it, and what they know."""

from datetime import datetime

from django.db import connection, transaction

from collector.changes import announce
from collector.retry import records
from collector.retry.records import Asker
from collector.retry.refusals import NotNow

MOST_NOTE = 500


def assign(group: int, by: Asker, *, to: str, now: datetime) -> None:
    """Name who looks after the group; "" for nobody. Raises NotNow where there is no such group."""
    _set(group, by, now, action="assign", changes={"assignee": to.strip()[:80]}, reason=to.strip()[:80])


def note(group: int, by: Asker, *, text: str, now: datetime) -> None:
    """Replace the group's note; "" takes it away. Raises NotNow where there is no such group."""
    said = text.strip()[:MOST_NOTE]
    changes: dict[str, str | datetime] = {"note": said, "note_by": by.person_name, "note_at": now}
    _set(group, by, now, action="note", changes=changes, reason=said)


def _set(group: int, by: Asker, now: datetime, *, action: str, changes: dict[str, str | datetime], reason: str) -> None:
    columns, subject = ", ".join(f"{name} = %s" for name in changes), f"failure group {group}"
    with records.refusals(by, now, action, subject), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"update failure_group set {columns} where id = %s", [*changes.values(), group])  # noqa: S608
        if not cursor.rowcount:
            raise NotNow("There is no such failure group.")
        records.done_to(by, now, action, subject, reason=reason)
        announce("letters")
