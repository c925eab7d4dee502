"""What is usual of a topic at an hour, and what services say of who owns them."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    """New tables alone: old processes go on meanwhile."""

    dependencies = (("collector", "0022_sample_sums"),)
    operations = (
        migrations.RunSQL((SQL / "usual_least.sql").read_text(), migrations.RunSQL.noop),
        migrations.RunSQL((SQL / "service_facts.sql").read_text(), migrations.RunSQL.noop),
    )
