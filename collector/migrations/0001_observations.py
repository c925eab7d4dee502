"""The tables of what Weir observes, as SQL: they are partitioned, and nobody reads them through model instances."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0001_observations.sql"


class Migration(migrations.Migration):
    """First tables."""

    initial = True
    dependencies = ()
    operations = [
        migrations.RunSQL("create extension if not exists pg_trgm", migrations.RunSQL.noop),
        migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),
    ]
