"""COPY in its binary form through Django's cursor."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.store import rows as packed

Target = tuple[str, str]  # "table (columns)" and the columns' Postgres types, both constants of the store


def copy(cursor: CursorWrapper, target: Target, rows: Iterable[tuple[object, ...]]) -> None:
    """Append `rows`. Django's errors, as from any statement."""
    columns, types = target
    pending = list(rows)
    if not pending:
        return
    with connection.wrap_database_errors, cursor.copy(f"copy {columns} from stdin (format binary)") as writer:
        writer.set_types(types.split())
        for row in pending:
            writer.write_row(row)


def copy_packed(
    cursor: CursorWrapper, columns: LiteralString, rows: Sequence[bytes], stored_at: datetime | None = None
) -> None:
    """Append rows that are packed, but for their last column where that is the time of storing. Django's errors."""
    if not rows:
        return
    with connection.wrap_database_errors, cursor.copy(f"copy {columns} from stdin (format binary)") as writer:
        writer.write(packed.copied(rows, stored_at))
