"""What the disk budget found, and what was dropped."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "disk_budget.sql"


class Migration(migrations.Migration):
    """Two tables."""

    dependencies = (("collector", "0009_edited_copies"),)
    operations = [
        migrations.RunSQL(SQL.read_text(), "drop table disk_check; drop table dropped_data"),
    ]
