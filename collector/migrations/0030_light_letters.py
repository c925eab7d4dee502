"""Dead letters by the million: what a batch checks once is not checked again for each row, and bytes are kept once."""

from django.db import migrations

_KEYS = (
    ("dead_letter", "topic_id", "topic"),
    ("dead_letter", "group_id", "consumer_group"),
    ("dead_letter", "origin_topic_id", "topic"),
    ("dead_letter_body", "dead_letter_id", "dead_letter"),
    ("letter_state", "dead_letter_id", "dead_letter"),
    ("letter_state", "failure_group_id", "failure_group"),
)


class Migration(migrations.Migration):
    """An old collector may go on writing meanwhile: `stack` of dead_letter_body stays, and nobody reads it any more.

    What fits half a page once it is compressed stays in its own row, instead of going by pieces to a table beside it.
    """

    dependencies = (("collector", "0029_swept_samples"),)
    operations = (
        *(
            migrations.RunSQL(
                f"alter table {table} drop constraint {table}_{column}_fkey",
                f"alter table {table} add constraint {table}_{column}_fkey foreign key ({column}) references {other}",
            )
            for table, column, other in _KEYS
        ),
        migrations.RunSQL(
            "alter table dead_letter_body set (toast_tuple_target = 4000)",
            "alter table dead_letter_body reset (toast_tuple_target)",
        ),
    )
