"""Who may do something: for people who may not, and want to ask."""

from django.db import connection

from dashboard.access import OF_ROLE, Action

MOST = 20


def who_can(action: Action) -> tuple[str, ...]:
    """Names of active people whose role allows it, operators before admins; at most 20. One statement."""
    roles = [role for role, allowed in OF_ROLE.items() if action in allowed]
    with connection.cursor() as cursor:
        cursor.execute(
            "select name from dashboard_person where is_active and role = any(%s) order by role desc, name limit %s",
            [roles, MOST],
        )
        return tuple(name for (name,) in cursor.fetchall())
