"""When a node was last on the graph: places of those that are long gone are given up."""

from django.db import migrations

COLUMN = "alter table layout_node add column seen_at timestamptz not null default now()"


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0005_kept_paths")]

    operations = [migrations.RunSQL(COLUMN, migrations.RunSQL.noop)]
