"""Columns for what topics' and groups' pages say beyond lag."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "lag.sql"


class Migration(migrations.Migration):
    """New columns with defaults: old collectors may go on writing meanwhile."""

    dependencies = (("collector", "0006_declared_settings"),)
    operations = [migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop)]
