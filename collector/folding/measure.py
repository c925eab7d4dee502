"""How long events waited and were worked on: a second look at batches, late enough for both sides to be there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.domain.hops import Op
from collector.domain.topology import counted_at
from collector.folding.fold import RollupLeaves
from collector.store import folds, measures, rollups
from collector.store.measures import Context, Delivery, Place, Unpaired
from collector.store.rollups import Measured

BEHIND = timedelta(seconds=15)
RETRY_AFTER = timedelta(minutes=1)
GIVE_UP_AFTER = timedelta(minutes=10)
BATCHES_AT_ONCE = 50
SPANS_AT_ONCE = 20_000
RETRIES_AT_ONCE = 5_000
MOST_CAUSES = 1_000  # of one batch span

Durations = dict[tuple[datetime, int], Measured]


def measure(leaves: RollupLeaves, *, now: datetime) -> int:
    """Measure the batches that are old enough; how many there were. Raises MissingLeaves.

    A delivery's wait runs from the start of the sending span that it links to, or is a child of, to its own start;
    where there is no sending span, from the timestamp of the tapped record at its place.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        batches = measures.claimed(cursor, before=now - BEHIND, limit=BATCHES_AT_ONCE, most_spans=SPANS_AT_ONCE)
        if not batches:
            return 0
        found = measures.deliveries(cursor, batches)
        leaves.check(counted_at(each.started_at, each.stored_at) for each in found)
        near = {
            table: folds.leaves_around(cursor, table, oldest=batches[0], newest=batches[-1])
            for table in measures.PARENTS
        }
        linked = measures.links(cursor, {(each.trace_id, each.span_id) for each in found}, leaves=near["span_link"])
        causes = {each: _causes(each, linked) for each in found}
        sent = measures.sent(cursor, {cause for of_one in causes.values() for cause in of_one}, leaves=near["span"])
        alone = {each.place for each in found if each.place and not any(cause in sent for cause in causes[each])}
        produced = measures.produced(cursor, alone, leaves=near["record"])
        durations, unpaired = paired(causes, linked=linked, sent=sent, produced=produced)
        rollups.add_histograms(cursor, durations)
        measures.add_unpaired(cursor, unpaired, now=now)
        measures.mark_measured(cursor, batches)
    return len(batches)


def _causes(delivery: Delivery, linked: Mapping[Context, list[Context]]) -> tuple[Context, ...]:
    causes = linked.get((delivery.trace_id, delivery.span_id), [])[:MOST_CAUSES]
    if delivery.parent_id is not None:
        causes = [*causes, (delivery.trace_id, delivery.parent_id)]
    return tuple(dict.fromkeys(causes))


def paired(
    causes: Mapping[Delivery, tuple[Context, ...]],
    *,
    linked: Mapping[Context, list[Context]],
    sent: Mapping[Context, datetime],
    produced: Mapping[Place, datetime],
) -> tuple[Durations, list[Unpaired]]:
    """Durations per (minute, edge), and the deliveries whose producer is not there yet.

    A parent that sent nothing (the poll around a delivery) is no cause to wait for where there are links.
    """
    durations: Durations = defaultdict(Measured)
    unpaired: list[Unpaired] = []
    for delivery, its in causes.items():
        measured = durations[rollups.minute(counted_at(delivery.started_at, delivery.stored_at)), delivery.edge_id]
        if delivery.op == Op.PROCESS:
            measured.processing_ms.append(delivery.duration_ms)
        starts = [sent[cause] for cause in its if cause in sent]
        if not starts and delivery.place is not None and delivery.place in produced:
            starts = [produced[delivery.place]]
        for at in starts:
            _add_wait(measured, at, delivery.started_at)
        if not starts:
            awaited = linked.get((delivery.trace_id, delivery.span_id)) or its
            unpaired.extend(_unpaired(delivery, awaited))
    return dict(durations), unpaired


def _add_wait(measured: Measured, sent_at: datetime, started_at: datetime) -> None:
    """A wait below nothing says that two clocks disagree: it counts as none, and the edge says so."""
    wait_ms = (started_at - sent_at) / timedelta(milliseconds=1)
    measured.is_skewed |= wait_ms < 0
    measured.waits_ms.append(max(0.0, wait_ms))


def _unpaired(delivery: Delivery, awaited: Iterable[Context]) -> list[Unpaired]:
    contexts: list[Context | None] = [*awaited]
    if not contexts and delivery.place is not None:
        contexts = [None]
    return [
        Unpaired(delivery.stored_at, delivery.started_at, delivery.edge_id, context, delivery.place)
        for context in contexts[:MOST_CAUSES]
    ]


def retry_unpaired(leaves: RollupLeaves, *, now: datetime) -> int:
    """Look again for producers that were missing, everywhere; how many were looked for. Raises MissingLeaves.

    After ten minutes a delivery is given up, and counted.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        waiting = measures.taken_unpaired(cursor, tried_before=now - RETRY_AFTER, limit=RETRIES_AT_ONCE)
        if not waiting:
            return 0
        leaves.check(counted_at(each.started_at, each.stored_at) for each in waiting)
        parents = measures.PARENTS
        sent = measures.sent(cursor, {each.context for each in waiting if each.context}, leaves=[parents["span"]])
        places = {each.place for each in waiting if each.place and each.context not in sent}
        produced = measures.produced(cursor, places, leaves=[parents["record"]])
        durations: Durations = defaultdict(Measured)
        still: list[Unpaired] = []
        for each in waiting:
            at = _sent_at(each, sent, produced)
            if at is None:
                still.append(each)
            else:
                minute = rollups.minute(counted_at(each.started_at, each.stored_at))
                _add_wait(durations[minute, each.edge_id], at, each.started_at)
        rollups.add_histograms(cursor, durations)
        kept = [each for each in still if now - each.stored_at <= GIVE_UP_AFTER]
        measures.add_unpaired(cursor, kept, now=now)
        measures.count_dropped(cursor, len(still) - len(kept))
    return len(waiting)


def _sent_at(each: Unpaired, sent: Mapping[Context, datetime], produced: Mapping[Place, datetime]) -> datetime | None:
    if each.context is not None and each.context in sent:
        return sent[each.context]
    return None if each.place is None else produced.get(each.place)
