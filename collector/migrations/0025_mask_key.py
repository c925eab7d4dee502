"""The secret behind what stands for masked keys."""

import secrets
from typing import Any

from django.db import migrations


def make(apps: Any, editor: Any) -> None:  # noqa: ANN401, ARG001  as Django calls it
    """Once for each install."""
    with editor.connection.cursor() as cursor:
        cursor.execute("insert into mask_key (secret) values (%s)", [secrets.token_bytes(32)])


class Migration(migrations.Migration):
    """One row, for good: with another secret nothing would be found by what stands for its key."""

    dependencies = (("collector", "0024_letter_fetches"),)
    operations = (
        migrations.RunSQL(
            "create table mask_key (is_one boolean primary key default true check (is_one),"
            " secret bytea not null check (length(secret) = 32))",
            "drop table mask_key",
        ),
        migrations.RunPython(make, migrations.RunPython.noop),
    )
