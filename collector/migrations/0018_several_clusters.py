"""Which clusters are observed now; failure groups and retries by cluster."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql") / "several_clusters.sql"


class Migration(migrations.Migration):
    """A cluster that was never scanned is one that spans named."""

    dependencies = (("collector", "0017_bounded_intake"),)
    operations = (
        migrations.RunSQL(
            SQL.read_text(),
            "alter table failure_group drop constraint failure_group_one_a_cluster, drop column cluster_id,"
            " add unique (version, digest); alter table cluster drop column is_observed;"
            " alter table retry_operation drop column cluster_id; drop index scan_seen",
        ),
    )
