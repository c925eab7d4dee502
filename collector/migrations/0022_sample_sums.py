"""Sums of samples by ten minutes and hour."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "sample_sums.sql"


class Migration(migrations.Migration):
    """New tables, and new columns with defaults: an old sampler may go on writing meanwhile."""

    dependencies = (("collector", "0021_search_letters_by_key"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
