"""Which database server this is: a dump that is restored into another one, or a failover, shows in it."""

from django.db.backends.utils import CursorWrapper


def has_changed(cursor: CursorWrapper) -> bool:
    """Whether the server is another one than at the last look; the new one is remembered. One or two statements.

    Run it in a transaction together with what must follow from it.
    """
    cursor.execute(
        "with now as (select (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id timeline),"
        " first as (insert into database_identity (system_identifier, timeline) select system_identifier, timeline"
        "  from now on conflict do nothing returning 1)"
        " select n.system_identifier, n.timeline, d.system_identifier is not null"
        "  and (d.system_identifier, d.timeline) <> (n.system_identifier, n.timeline)"
        " from now n left join database_identity d on true"
    )
    system_identifier, timeline, changed = cursor.fetchone()
    if changed:
        cursor.execute(
            "update database_identity set system_identifier = %s, timeline = %s", [system_identifier, timeline]
        )
    return bool(changed)
