"""What people note of failure groups, and an index for what came lately."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0008_failure_notes.sql"


class Migration(migrations.Migration):
    """Assignee and note of a failure group."""

    dependencies = (("collector", "0007_lag"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
