"""The audit log, newest first: who did, saw, sent, changed or was refused what."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

LIMIT = 100
_NEWEST = 2**63 - 1
_ROWS = "select id, at, person_name, action, object, result, reason, address, facts from audit_entry"
_EVERYBODY = f"{_ROWS} where id < %(before)s order by id desc limit %(limit)s"
_ONES_OWN = f"{_ROWS} where person_id = %(person)s and id < %(before)s order by id desc limit %(limit)s"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One deed, done, refused or failed."""

    id: int
    at: datetime
    person_name: str
    action: str
    object: str
    result: str
    reason: str
    address: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditLog:
    """A page of the log; `before` is the cursor of the next one, None at the end."""

    items: tuple[AuditRow, ...]
    before: int | None


def audit_log(*, of_person: int | None, before: int | None = None) -> AuditLog:
    """At most 100 entries older than `before`; `of_person` None means everybody's. One statement."""
    statement = _EVERYBODY if of_person is None else _ONES_OWN
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"before": _NEWEST if before is None else before, "limit": LIMIT + 1, "person": of_person}
        )
        rows = tuple(AuditRow(*(*row[:-1], _object(row[-1]))) for row in cursor.fetchall())
    more = len(rows) > LIMIT
    return AuditLog(rows[:LIMIT], rows[LIMIT - 1].id if more else None)


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - Django hands jsonb on as text
    return dict(json.loads(value)) if isinstance(value, str) else dict(value)
