"""What people declare: clusters, inputs, taps, drop and mask rules."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "declared_settings.sql"


class Migration(migrations.Migration):
    """Two tables."""

    dependencies = (("collector", "0005_operations"),)
    operations = [
        migrations.RunSQL(SQL.read_text(), "drop table declared; drop table declaration"),
    ]
