"""How tidy the graph's layout is, what it was before somebody tidied it up, and who waits for that."""

from django.db import migrations

TABLE = """
  alter table layout
    add column n_arrows integer not null default -1,
    add column n_fewest integer,
    add column before jsonb,
    add column tidied_at timestamptz,
    add column wanted text check (wanted in ('tidy', 'undo'))
"""


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0003_allowances"), ("collector", "0001_observations")]

    operations = [migrations.RunSQL(TABLE, migrations.RunSQL.noop)]
