"""The bell of dead letters remembers when the last one died again, instead of how many ever did."""

from django.db import migrations


class Migration(migrations.Migration):
    """One column for another, in a table of one row."""

    dependencies = (("collector", "0041_gone_groups"),)
    operations = (
        migrations.RunSQL(
            "alter table letter_bell drop column n_again, add column again_at timestamptz",
            "alter table letter_bell drop column again_at, add column n_again bigint not null default 0",
        ),
    )
