"""A restored or taken-over database does not know what was sent since: nothing goes on without a person (S47)."""

from datetime import datetime

from django.db import connection, transaction

from collector.domain.dead_letters import OperationStatus
from collector.retry import records
from collector.store import identity, operations, steps

REASON = "The database is another one than before: restored, or taken over. Look in the target, then resume."


def pauses_all(*, now: datetime) -> bool:
    """Pause every operation that sends when the database's server has changed; whether it had."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not identity.has_changed(cursor):
            return False
        for number in steps.to_judge():
            if operations.move(cursor, number, OperationStatus.PAUSED, out_of=steps.UNDER_WAY, now=now, reason=REASON):
                operations.note(cursor, number, f"paused. {REASON}", now=now)
                records.announce(number)
        return True
