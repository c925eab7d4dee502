"""How many letters of a failure group died in each of the last hours: counted in the background, like its keys."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "failure_trends.sql"


class Migration(migrations.Migration):
    """Two columns. Every group is counted anew."""

    dependencies = (("collector", "0039_retry_heads"),)
    operations = (
        migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),
        migrations.RunSQL("update failure_group set keys_as_of = null", migrations.RunSQL.noop),
    )
