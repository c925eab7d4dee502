"""Retry operations as rows: drafts, settings, states, and the log of what was done with them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.canary import Sending
from collector.domain.dead_letters import OperationStatus

DRAFT_HOURS = 24


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation or draft. `released`: items below this ordinal may be sent; `letters`: what a draft froze."""

    id: int
    status: OperationStatus
    person_id: int
    person_name: str
    plan_digest: UUID
    created_at: datetime
    confirmed_at: datetime | None
    looked_at: datetime | None
    name: str
    selection: str
    letters: tuple[int, ...]
    left_out: Mapping[str, int]
    newer: tuple[int, ...]
    n_order_unknown: int
    order_known_from: datetime | None
    leaves_newer_out: bool
    target: str | None
    n_items: int
    released: int
    n_forgiven: int
    waits_for_person: bool
    sending: Sending


_SENDING = tuple(field.name for field in fields(Sending))
_OWN = tuple(field.name for field in fields(Operation) if field.name != "sending")
_SELECT = (
    "select id, status, person_id, person_name, plan_digest, created_at, confirmed_at, looked_at, name, selection,"
    " coalesce(letters, '{}'), left_out, newer, n_order_unknown, order_known_from, leaves_newer_out, target_name,"
    " n_items, released, n_forgiven, waits_for_person, rate_per_second, steps, wait_seconds, asks_after_first,"
    " stop_first, stop_percent, one_per_key from retry_operation"
)


def operation(cursor: CursorWrapper, number: int, *, lock: bool = False) -> Operation | None:
    """One operation or draft, or None; locked until the transaction ends where it is changed."""
    cursor.execute(f"{_SELECT} where id = %s{' for update' if lock else ''}", [number])
    row = cursor.fetchone()
    return _operation(row) if row else None


def begin(
    cursor: CursorWrapper,
    *,
    token: str,
    plan: UUID,
    person_id: int,
    person_name: str,
    status: OperationStatus,
    now: datetime,
) -> tuple[int, bool, UUID]:
    """Id of the operation of this person's token, whether it is new, and the digest of the plan it was made for."""
    cursor.execute(
        "insert into retry_operation (token, plan_digest, person_id, person_name, status, created_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (person_id, token) do nothing returning id",
        [token, plan, person_id, person_name, int(status), now],
    )
    if row := cursor.fetchone():
        return row[0], True, plan
    cursor.execute(
        "select id, plan_digest from retry_operation where person_id = %s and token = %s", [person_id, token]
    )
    number, digest = cursor.fetchone()
    return number, False, digest


def describe(cursor: CursorWrapper, number: int, **changes: Any) -> None:  # noqa: ANN401  a column's value
    """Set columns of an operation; `sending` sets all of how it sends, `left_out` is a mapping."""
    sending = changes.pop("sending", None)
    if isinstance(sending, Sending):
        changes |= {name: getattr(sending, name) for name in _SENDING} | {"steps": list(sending.steps)}
    if "left_out" in changes:
        changes["left_out"] = json.dumps(changes["left_out"])
    columns = ", ".join(f"{name} = %s" for name in changes)
    cursor.execute(f"update retry_operation set {columns} where id = %s", [*changes.values(), number])  # noqa: S608


def move(
    cursor: CursorWrapper,
    number: int,
    to: OperationStatus,
    *,
    out_of: Collection[OperationStatus],
    now: datetime,
    reason: str = "",
) -> bool:
    """Move an operation that stands in `out_of`; whether it did."""
    cursor.execute(
        "update retry_operation set status = %s, reason = %s, waits_for_person = false,"
        " ended_at = case when %s in (2, 4) then %s::timestamptz end where id = %s and status = any(%s)",
        [int(to), reason, int(to), now, number, [int(status) for status in out_of]],
    )
    return bool(cursor.rowcount)


def note(
    cursor: CursorWrapper, number: int, what: str, *, now: datetime, by: str = "", step: int | None = None
) -> None:
    """Write into the operation's log; without `by` Weir itself did it."""
    cursor.execute(
        "insert into retry_log (operation_id, at, person_name, what, step) values (%s, %s, %s, %s, %s)",
        [number, now, by, what, step],
    )


def note_trouble(number: int, what: str) -> None:
    """What a worker waits for; "" once it goes on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update retry_operation set trouble = %s where id = %s and trouble <> %s", [what[:500], number, what[:500]]
        )


def discard(cursor: CursorWrapper, number: int) -> bool:
    """Delete a draft. Its number is not used again."""
    cursor.execute("delete from retry_operation where id = %s and status = %s", [number, int(OperationStatus.DRAFT)])
    return bool(cursor.rowcount)


def forget_drafts(*, before: datetime) -> int:
    """Delete drafts that expired; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from retry_operation where status = any(%s) and created_at < %s",
            [[int(OperationStatus.DRAFT), int(OperationStatus.ASKED)], before],
        )
        return int(cursor.rowcount)


def _operation(row: Sequence[Any]) -> Operation:
    own = dict(zip(_OWN, row[: len(_OWN)], strict=True))
    sending = dict(zip(_SENDING, row[len(_OWN) :], strict=True))
    left_out = own["left_out"]
    own |= {
        "status": OperationStatus(own["status"]),
        "letters": tuple(own["letters"]),
        "newer": tuple(own["newer"]),
        "left_out": json.loads(left_out) if isinstance(left_out, str) else left_out,
        "sending": Sending(**{**sending, "steps": tuple(sending["steps"])}),
    }
    return Operation(**own)
