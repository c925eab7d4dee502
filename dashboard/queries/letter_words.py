"""What a term of the filter of dead letters may begin with, and the names in letters: for whoever completes it."""

from django.db import connection

from collector.domain.fingerprints import short_class
from dashboard.queries.letter_filter import FIELDS

MOST_NAMES = 100  # of a field


def vocabulary() -> tuple[str, ...]:
    """The fields, then the names. What has a blank in it nobody can complete. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"limit": MOST_NAMES})
        found = {f"{field}:{short_class(name) if field == 'class' else name}" for field, name in cursor.fetchall()}
    return (*FIELDS, *sorted(word for word in found if not any(mark.isspace() or mark == '"' for mark in word)))


_NAMES = """
(select 'topic', t.name from topic t where t.id in (select topic_id from failure_count where n > 0)
  order by 2 limit %(limit)s)
union (select 'origin', t.name from topic t where t.id in (select topic_id from failure_group)
  order by 2 limit %(limit)s)
union (select 'group', c.name from consumer_group c where c.id in (select group_id from failure_group)
  order by 2 limit %(limit)s)
union (select distinct 'class', g.exception_class from failure_group g where g.exception_class <> ''
  order by 2 limit %(limit)s)
union (select 'cluster', c.name from cluster c where c.id > 0 order by 2 limit %(limit)s)
"""
