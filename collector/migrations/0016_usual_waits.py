"""How long events usually wait is learned into a table; people may set limits instead."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "usual_waits.sql"


class Migration(migrations.Migration):
    """Two tables."""

    dependencies = (("collector", "0015_target_rights"),)
    operations = (migrations.RunSQL(SQL.read_text(), "drop table usual_wait, stuck_limit"),)
