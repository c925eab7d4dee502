"""Failure groups that can be merged and split, and letters that are read again in the background."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "failure_fingerprints.sql"


class Migration(migrations.Migration):
    """Fingerprints get a table of their own."""

    dependencies = (("collector", "0018_several_clusters"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
