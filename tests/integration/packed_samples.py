"""Packed hours of samples, read back for tests."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from collector.domain.sample_chunks import Point, unpacked
from collector.store.sample_chunks import HOUR, Kind


def points_of(kind: Kind, *, topic_id: int, group_id: int = 0, since: datetime, until: datetime) -> Sequence[Point]:
    """Packed points of a topic, or of a group on it, in order; hours are read whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select body from sample_chunk where kind = %s and topic_id = %s and group_id = %s"
            " and from_at > %s and from_at < %s order by from_at",
            [int(kind), topic_id, group_id, since - HOUR, until],
        )
        return [point for (body,) in cursor.fetchall() for point in unpacked(bytes(body))]
