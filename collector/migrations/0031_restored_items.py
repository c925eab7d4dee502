"""A dump that is restored on the same server is another database, too."""

from django.db import migrations


class Migration(migrations.Migration):
    """The number of the table of items, which is another one when the table is made again."""

    dependencies = (("collector", "0030_light_letters"),)
    operations = (
        migrations.RunSQL(
            "alter table database_identity add column items bigint;"
            "update database_identity set items = 'retry_item'::regclass::oid::bigint",
            "alter table database_identity drop column items",
        ),
    )
