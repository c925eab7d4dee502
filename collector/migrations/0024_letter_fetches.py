"""Records that lay on a topic before somebody said that it holds dead letters."""

from django.db import migrations


class Migration(migrations.Migration):
    """One row a topic: how far its old records were read as dead letters."""

    dependencies = (("collector", "0023_usual_and_owners"),)
    operations = (
        migrations.RunSQL(
            "create table letter_fetch (topic_id integer primary key references topic,"
            " next_offsets jsonb not null default '{}',"  # by partition
            " n_all bigint not null default 0, n_done bigint not null default 0, trouble text not null default '',"
            " asked_by text not null, asked_at timestamptz not null, ended_at timestamptz)",
            "drop table letter_fetch",
        ),
    )
