"""What of an operation is due is found in an index, however many of its keys are held back."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "retry_heads.sql"


class Migration(migrations.Migration):
    """One table, kept by triggers, and an index for what has no key."""

    dependencies = (("collector", "0038_undecodable_counts"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
