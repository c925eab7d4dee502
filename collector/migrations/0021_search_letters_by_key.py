"""Dead letters are found by a part of their key without reading all of them."""

from django.db import migrations


class Migration(migrations.Migration):
    """One index of trigrams, filled lazily as that of the messages."""

    dependencies = (("collector", "0020_asked_edits"),)
    operations = (
        migrations.RunSQL(
            "create index dead_letter_key_text on dead_letter using gin (key_text gin_trgm_ops)"
            " with (fastupdate = on, gin_pending_list_limit = 65536)",
            "drop index dead_letter_key_text",
        ),
    )
