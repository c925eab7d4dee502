"""Who on a path keeps only a share of its spans: hops of theirs may be missing."""

from datetime import timedelta

from django.db import connection

from collector.domain import identities
from dashboard.queries.paths import Lineage

HOUR = timedelta(hours=1)


def sampled_services(lineage: Lineage) -> tuple[str, ...]:
    """Names of the path's services whose spans were sampled in its hours. One statement, none without services."""
    times = [hop.happened_at for hop in lineage.hops if hop.happened_at]
    said = {parts[1] for hop in lineage.hops if hop.service and (parts := identities.parts(hop.service))}
    if not times or not said:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct s.name from unnest(%s::text[], %s::text[]) n(namespace, name)"
            " join service s on s.namespace = n.namespace and s.name = n.name join edge e on e.service_id = s.id"
            " where exists (select from edge_1h r where r.edge_id = e.id and r.bucket_at >= %s and r.bucket_at <= %s"
            "  and r.sample_weight > 0) order by 1",
            [
                [words[0] if len(words) > 1 else "" for words in said],
                [words[-1] for words in said],
                min(times) - HOUR,
                max(times),
            ],
        )
        return tuple(name for (name,) in cursor.fetchall())
