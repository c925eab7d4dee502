"""What sampled spans stand for besides themselves: written with their batch, added to the rollups when it is folded."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from collector.domain.topology import EARLY
from collector.store import rows
from collector.store.spans import Known, Request

_TEN_SECONDS = 10 * 10**6  # in microseconds


def write(cursor: CursorWrapper, requests: Sequence[Request], ids: Known, stored_at: datetime) -> None:
    """Sum up by edge and ten seconds. Nothing where no span says that it was sampled."""
    sums: defaultdict[tuple[int, int], float] = defaultdict(float)
    for request in requests:
        for span, more in request.sampled:
            sketch = request.sketches[span]
            edge_id, hop = ids[sketch][0].edge_id, sketch.hop
            if edge_id is not None and hop is not None and hop.n_messages:
                started = rows.started_of(request.heads[span])
                sums[edge_id, started - started % _TEN_SECONDS] += more * hop.n_messages
    if not sums:
        return
    cursor.execute(
        "insert into batch_weight (stored_at, edge_id, bucket_at, more)"
        " select %s, edge_id, '2000-01-01 00:00+00'::timestamptz + us * interval '1 us', more"
        " from unnest(%s::int[], %s::bigint[], %s::real[]) n(edge_id, us, more)",
        [stored_at, [edge for edge, _ in sums], [at for _, at in sums], list(sums.values())],
    )


def taken(
    cursor: CursorWrapper, batches: Sequence[datetime], *, kept_10s: timedelta
) -> dict[tuple[datetime, int], float]:
    """What those of these batches add to a bucket and edge, by the same choice of bucket as the counts; then gone."""
    cursor.execute(
        "with gone as (delete from batch_weight where stored_at = any(%(batches)s) returning *)"
        " select date_bin('10 s', case when bucket_at between stored_at - %(kept)s::interval and"
        "   stored_at + %(early)s::interval then bucket_at else stored_at end, '2000-01-01 00:00+00') at,"
        " edge_id, sum(more) from gone group by 1, 2",
        {
            "batches": list(batches),
            "kept": f"{kept_10s.total_seconds()} s",
            "early": f"{EARLY.total_seconds()} s",
        },
    )
    return {(at, edge_id): float(more) for at, edge_id, more in cursor.fetchall()}
