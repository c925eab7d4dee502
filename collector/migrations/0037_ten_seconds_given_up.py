"""Ten-second counts may go before their age, for the disk budget: since when they are all there."""

from django.db import migrations


class Migration(migrations.Migration):
    """One moment more in the folder's row; what went in the last 90 days is remembered."""

    dependencies = (("collector", "0036_declared_retry_targets"),)
    operations = (
        migrations.RunSQL(
            "alter table fold_state add column tens_since timestamptz;"
            " update fold_state set tens_since ="
            " (select max(to_at) from dropped_data where kind = 'counts by ten seconds')",
            "alter table fold_state drop column tens_since",
        ),
    )
