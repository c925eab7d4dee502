"""Counts of edges by day."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "day_counts.sql"


class Migration(migrations.Migration):
    """New tables, which the folder fills from the hours that there are."""

    dependencies = (("collector", "0027_retry_hops"),)
    operations = (migrations.RunSQL(SQL.read_text(), "drop table edge_1d, edge_day"),)
