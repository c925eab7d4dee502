"""Which failures of a retry a person saw and continued after: those, and no others that come in their place."""

from django.db import migrations


class Migration(migrations.Migration):
    """A mark on each item, instead of a number of the operation alone."""

    dependencies = (("collector", "0031_restored_items"),)
    operations = (
        migrations.RunSQL(
            "alter table retry_item add column seen_bad boolean not null default false;"
            "create index retry_item_seen_bad on retry_item (operation_id) where seen_bad",
            "alter table retry_item drop column seen_bad",
        ),
    )
