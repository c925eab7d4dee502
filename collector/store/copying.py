"""COPY in its binary form through Django's cursor."""

from collections.abc import Iterable

from django.db import connection
from django.db.backends.utils import CursorWrapper

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
