"""In which versions of a service a failure group's letters failed: looked for in the background, like its keys."""

from django.db import migrations


class Migration(migrations.Migration):
    """One column. Every group is counted anew, and looked for then."""

    dependencies = (("collector", "0042_letter_bell_by_time"),)
    operations = (
        migrations.RunSQL(
            "alter table failure_group add column versions text[] not null default '{}';"
            " update failure_group set keys_as_of = null",
            "alter table failure_group drop column versions",
        ),
    )
