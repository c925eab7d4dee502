"""A copy of the database on the same server, tables and all, is another database, too."""

from django.db import migrations


class Migration(migrations.Migration):
    """The number of the database itself."""

    dependencies = (("collector", "0034_retry_turns"),)
    operations = (
        migrations.RunSQL(
            "alter table database_identity add column database bigint;"
            # Where something is still to be sent nobody knows whether this is a copy already: it pauses once.
            "update database_identity set database = (select oid from pg_database where datname = current_database())"
            " where not exists (select from retry_item where status in (0, 1))",
            "alter table database_identity drop column database",
        ),
    )
