"""Edited copies that wait for a second person's approval."""

from django.db import migrations


class Migration(migrations.Migration):
    """Their bytes, until it is decided."""

    dependencies = (("collector", "0019_failure_fingerprints"),)
    operations = (
        migrations.RunSQL(
            "create table asked_edit (operation_id bigint primary key references retry_operation on delete cascade,"
            " value bytea not null, headers bytea not null, reason text not null);"
            " comment on column retry_operation.status is '0 requested, 1 running, 2 done, 3 stopped, 4 cancelled,"
            " 5 paused, 6 draft, 7 waits for approval'",
            migrations.RunSQL.noop,
        ),
    )
