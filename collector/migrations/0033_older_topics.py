"""Which topics were there before they could be seen: their first count is no spike."""

from django.db import migrations


class Migration(migrations.Migration):
    """A mark on each topic."""

    dependencies = (("collector", "0032_seen_failures"),)
    operations = (
        migrations.RunSQL(
            "alter table topic add column is_older boolean not null default false",
            "alter table topic drop column is_older",
        ),
    )
