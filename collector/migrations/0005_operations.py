"""Retry operations: drafts, how they send, their steps, and what was done with them."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "0005_operations.sql"


class Migration(migrations.Migration):
    """Resend of many."""

    dependencies = [("collector", "0004_usual_hops")]
    operations = [migrations.RunSQL(SQL.read_text(), migrations.RunSQL.noop)]
