"""What usually comes next, and what is stuck."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0004_usual_hops.sql"


class Migration(migrations.Migration):
    """Two small tables."""

    dependencies = (("collector", "0003_causes"),)
    operations = [migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop)]
