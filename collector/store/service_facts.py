"""What services say of who owns them, read from new sets of attributes as they come."""

import json

from django.db import connection, transaction

from collector.domain.ownership import owned
from collector.domain.texts import storable

MOST_SETS = 5_000  # a run
OVERLAP = 200  # sets that were numbered before the last one, and became visible after it


def learn() -> int:
    """Read the attribute sets that came since, and a few before; how many. One transaction; the newest word counts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select last_set_id from service_fact_state for update")
        (since,) = cursor.fetchone()
        cursor.execute(
            "select id, convert_from(body, 'UTF8') from attribute_set where id > %s order by id limit %s",
            [since - OVERLAP, MOST_SETS],
        )
        sets = cursor.fetchall()
        told: dict[tuple[str, str], dict[str, str]] = {}
        for _, text in sets:
            resource = json.loads(text).get("resource", {})
            service = (
                storable(str(resource.get("service.namespace", ""))),
                storable(str(resource.get("service.name", ""))),
            )
            if facts := owned(resource):
                told.setdefault(service, {}).update(facts)
        rows = [(*service, *fact) for service, facts in sorted(told.items()) for fact in sorted(facts.items())]
        if rows:
            cursor.execute(_SET, [list(column) for column in zip(*rows, strict=True)])
        if sets:
            cursor.execute("update service_fact_state set last_set_id = %s", [sets[-1][0]])
    return len(sets)


_SET = """
insert into service_fact (service_id, name, value)
select s.id, n.fact, n.value
from unnest(%s::text[], %s::text[], %s::text[], %s::text[]) n (namespace, name, fact, value)
join service s on s.namespace = n.namespace and s.name = n.name and s.id > 0
on conflict (service_id, name) do update set value = excluded.value
  where service_fact.value <> excluded.value
"""
