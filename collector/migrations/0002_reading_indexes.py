"""Indexes for questions that would read a growing table whole: one's own audit rows, the newest events of a key."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0002_reading_indexes.sql"


class Migration(migrations.Migration):
    """Two indexes."""

    dependencies = (("collector", "0001_observations"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
