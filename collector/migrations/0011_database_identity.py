"""Which server the retries were sent from: a restored copy of the database must not send again by itself."""

from django.db import migrations


class Migration(migrations.Migration):
    """One row."""

    dependencies = (("collector", "0010_disk_budget"),)
    operations = (
        migrations.RunSQL(
            "create table database_identity (one boolean primary key default true check (one),"
            " system_identifier bigint not null, timeline integer not null)",
            migrations.RunSQL.noop,
        ),
    )
