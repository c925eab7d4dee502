"""Of what cannot be decoded a thousand rows a minute are kept: how many there were is counted with their batch."""

from django.db import migrations


class Migration(migrations.Migration):
    """One number more in the ledger; batches of the last hour get it, too."""

    dependencies = (("collector", "0037_ten_seconds_given_up"),)
    operations = (
        migrations.RunSQL(
            "alter table batch add column n_undecodable integer not null default 0;"
            " update batch b set n_undecodable = u.n from (select stored_at, count(*) n from undecodable"
            "  where stored_at > now() - interval '1 hour' group by 1) u where b.stored_at = u.stored_at",
            "alter table batch drop column n_undecodable",
        ),
    )
