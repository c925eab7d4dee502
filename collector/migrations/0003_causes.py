"""Records that name their cause."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0003_causes.sql"


class Migration(migrations.Migration):
    """A column and two indexes."""

    dependencies = (("collector", "0002_reading_indexes"),)
    operations = [migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop)]
