"""Questions to Kafka asked from a page, and their answers."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "lookups.sql"


class Migration(migrations.Migration):
    """Two tables."""

    dependencies = (("collector", "0043_failure_versions"),)
    operations = (migrations.RunSQL(SQL.read_text(), "drop table lookup_match; drop table lookup"),)
