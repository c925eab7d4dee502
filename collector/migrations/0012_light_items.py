"""Items of a retry without foreign keys: three look-ups a row were most of what freezing 100,000 letters cost."""

from django.db import migrations


class Migration(migrations.Migration):
    """One statement writes items, from rows that it has just read; nothing deletes letters, topics or operations."""

    dependencies = (("collector", "0011_database_identity"),)
    operations = (
        migrations.RunSQL(
            "alter table retry_item drop constraint retry_item_operation_id_fkey,"
            " drop constraint retry_item_dead_letter_id_fkey, drop constraint retry_item_target_topic_id_fkey",
            migrations.RunSQL.noop,
        ),
    )
