"""Groups that read a topic no more, by topic and by group."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "gone_groups.sql"


class Migration(migrations.Migration):
    """A new table. What an old sampler sees go meanwhile is missing there."""

    dependencies = (("collector", "0040_failure_trends"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
