"""The collectors that are alive, so that they can share partitions without a consumer group on anybody's broker."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

LIVE_SECONDS = 10  # the database's clock decides: hosts' clocks may differ


def beat(member: UUID, *, host: str, pid: int) -> None:
    """Say that this collector lives."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into collector_member (member, seen_at, host, pid) values (%s, clock_timestamp(), %s, %s)"
            " on conflict (member) do update set seen_at = excluded.seen_at",
            [member, host, pid],
        )


def live() -> list[tuple[UUID, str, int]]:
    """(member, host, pid) of everyone who was seen within LIVE_SECONDS."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select member, host, pid from collector_member"
            " where seen_at > clock_timestamp() - make_interval(secs => %s) order by member",
            [LIVE_SECONDS],
        )
        return list(cursor.fetchall())


def leave(members: Sequence[UUID]) -> None:
    """Take members out at once: this one at its end, or dead ones whose process is known to be gone."""
    with connection.cursor() as cursor:
        cursor.execute("delete from collector_member where member = any(%s)", [list(members)])


def forget_old() -> None:
    """Take out rows of collectors that were killed long ago."""
    with connection.cursor() as cursor:
        cursor.execute("delete from collector_member where seen_at < clock_timestamp() - interval '1 hour'")
