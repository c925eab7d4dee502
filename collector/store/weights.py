"""What sampled spans stand for besides themselves: written with their batch; collector.store.folds adds it up."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.backends.utils import CursorWrapper

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
