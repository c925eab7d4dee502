"""Dead letters are counted by topic as well."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "letters_by_topic.sql"


class Migration(migrations.Migration):
    """Counts anew, from the letters."""

    dependencies = (("collector", "0012_light_items"),)
    operations = (migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop),)
