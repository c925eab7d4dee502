"""Rows of samples are swept soon after they are packed."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "swept_samples.sql"


class Migration(migrations.Migration):
    """Settings of two tables."""

    dependencies = (("collector", "0028_day_counts"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
