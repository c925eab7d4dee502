"""The audit log: one row per deed of a person, written in the transaction that does the deed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from django.db import connection

Result = Literal["done", "refused", "failed"]


def append(
    *,
    at: datetime,
    person_id: int | None,
    person_name: str,
    action: str,
    object: str,
    result: Result,
    reason: str = "",
    address: str = "",
    facts: Mapping[str, object] | None = None,
) -> None:
    """Add a row inside the caller's transaction. `facts`: JSON values; never a payload, a key or a secret."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into audit_entry (at, person_id, person_name, action, object, result, reason, address, facts)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [at, person_id, person_name, action, object, result, reason, address, json.dumps(dict(facts or {}))],
        )


def append_command(action: str, object: str, *, at: datetime, facts: Mapping[str, object] | None = None) -> None:
    """Add a row for what somebody did at the command line, inside the caller's transaction."""
    append(at=at, person_id=None, person_name="command line", action=action, object=object, result="done", facts=facts)
