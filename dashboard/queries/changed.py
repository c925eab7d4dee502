"""What changed lately: versions of services, settings and partitions of topics, offsets set back."""

import re
from datetime import timedelta

from django.db import connection

from collector.domain import identities
from dashboard.queries.window import Window

LATELY = timedelta(hours=24)
_ASKED = re.compile(r"(?:^|\s)-?changed:yes(?:\s|$)", re.IGNORECASE)


def changed_things(filter_text: str, window: Window) -> frozenset[str]:
    """Ids of what changed in the window, or in the day before its end where it is shorter.

    One statement; none, and nothing, where the filter does not ask.
    """
    if not _ASKED.search(filter_text):
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, {"from": min(window.from_at, window.to_at - LATELY), "to": window.to_at})
        return frozenset(_identity(*row) for row in cursor.fetchall())


_STATEMENT = """
    select 'topic', c.name, t.name from change_mark m join topic t on t.id = m.topic_id
      join cluster c on c.id = t.cluster_id where m.at >= %(from)s and m.at < %(to)s and m.kind in (2, 3, 4, 8)
    union
    select 'group', c.name, g.name from change_mark m join consumer_group g on g.id = m.group_id
      join cluster c on c.id = g.cluster_id where m.at >= %(from)s and m.at < %(to)s and m.kind = 5
    union
    select 'service', s.namespace, s.name from change_mark m join service s on s.id = m.service_id
      where m.at >= %(from)s and m.at < %(to)s and m.kind = 1
"""


def _identity(kind: str, place: str, name: str) -> str:
    if kind == "service":
        return identities.service_id(place, name)
    return identities.topic_id(place, name) if kind == "topic" else identities.group_id(place, name)
