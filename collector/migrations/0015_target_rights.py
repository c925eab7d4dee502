"""Whether Weir may write where a retry would go is known before it is confirmed."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "target_rights.sql"


class Migration(migrations.Migration):
    """One table."""

    dependencies = (("collector", "0014_retry_counts"),)
    operations = (migrations.RunSQL(SQL.read_text(), "drop table target_right"),)
