"""Which database this is: a dump that is restored, into another server or the same one, or a failover, shows in it."""

from django.db.backends.utils import CursorWrapper


def has_changed(cursor: CursorWrapper) -> bool:
    """Whether it is another one than at the last look; the new one is remembered. One or two statements.

    On the same server the table of items tells, which has another number when it is made again, and the number of the
    database, which a copy by `createdb --template` has for its own.

    Run it in a transaction together with what must follow from it.
    """
    cursor.execute(
        "with now as (select (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id timeline,"
        "  'retry_item'::regclass::oid::bigint items, oid::bigint database from pg_database"
        "  where datname = current_database()),"
        " first as (insert into database_identity (system_identifier, timeline, items, database)"
        "  select system_identifier, timeline, items, database from now on conflict do nothing returning 1)"
        " select n.system_identifier, n.timeline, n.items, n.database, d.system_identifier is not null"
        "  and (d.system_identifier, d.timeline, d.items, d.database) is distinct from"
        "   (n.system_identifier, n.timeline, n.items, n.database)"
        " from now n left join database_identity d on true"
    )
    *identity, changed = cursor.fetchone()
    if changed:
        cursor.execute(
            "update database_identity set system_identifier = %s, timeline = %s, items = %s, database = %s", identity
        )
    return bool(changed)
