"""Retry operations are counted as they go: nobody reads the items to say how an operation stands."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "retry_counts.sql"


class Migration(migrations.Migration):
    """One table, its triggers, and the step of each item."""

    dependencies = (("collector", "0013_letters_by_topic"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
