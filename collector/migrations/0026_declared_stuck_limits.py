"""Limits of what counts as stuck that a settings file declares."""

from django.db import migrations


class Migration(migrations.Migration):
    """`declared` is the name of the table in the file; null where a person set the limit on a page."""

    dependencies = (("collector", "0025_mask_key"),)
    operations = (
        migrations.RunSQL(
            "alter table stuck_limit add column declared text", "alter table stuck_limit drop column declared"
        ),
    )
