"""The clock is watched, names can be forgotten, sampled spans are weighed, and spans are kept as they came."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "bounded_intake.sql"


class Migration(migrations.Migration):
    """Four tables, one column."""

    dependencies = (("collector", "0016_usual_waits"),)
    operations = [
        migrations.RunSQL(
            SQL.read_text(),
            "drop table age_check, batch_weight, span_detail, span_detail_kept; alter table source drop seen_on",
        ),
    ]
