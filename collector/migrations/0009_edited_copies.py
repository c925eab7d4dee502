"""An edited copy of a dead letter: the bytes that are sent instead of the original's."""

from django.db import migrations


class Migration(migrations.Migration):
    """Value and headers of the edited copy, kept with its send."""

    dependencies = (("collector", "0008_failure_notes"),)
    operations = (
        migrations.RunSQL(
            "alter table retry_item add column edited_headers bytea, add column edited_value bytea,"
            " add column edit_reason text not null default ''",
            migrations.RunSQL.noop,
        ),
    )
