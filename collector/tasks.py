"""Celery tasks, each safe to run twice and at the same time; their schedules are below."""

from celery import shared_task

from collector import clock
from collector.store import closing, sample_chunks
from collector.store.partitions import Leaves

# Partitions ---------------------------------------------------------------------------------------------------------


@shared_task(name="collector.make_leaves")
def make_leaves() -> None:
    """Two leaves ahead of every partitioned table: whoever saves would make them too, but later."""
    Leaves().ensure_ahead(clock.now())


@shared_task(name="collector.close_leaves")
def close_leaves() -> None:
    """Take repeats out of leaves that ended, vacuum them once."""
    closing.close_full(clock.now())


@shared_task(name="collector.drop_old")
def drop_old() -> None:
    """Drop what is older than its retention, and ledger rows that nothing asks for any more."""
    closing.drop_expired(clock.now())
    closing.forget_old(clock.now())


# Samples ------------------------------------------------------------------------------------------------------------


@shared_task(name="collector.pack_samples")
def pack_samples() -> None:
    """Turn old samples into chunks, an hour each."""
    sample_chunks.pack_old(Leaves(), now=clock.now())


SCHEDULE = {
    "make-leaves": {"task": "collector.make_leaves", "schedule": 300.0},
    "close-leaves": {"task": "collector.close_leaves", "schedule": 60.0},
    "drop-old": {"task": "collector.drop_old", "schedule": 300.0},
    "pack-samples": {"task": "collector.pack_samples", "schedule": 600.0},
}
