"""Operations of a cluster take turns, and the next event of a key is found at once, however many of it are done."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "retry_turns.sql"


class Migration(migrations.Migration):
    """One column, two indexes for one."""

    dependencies = (("collector", "0033_older_topics"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
