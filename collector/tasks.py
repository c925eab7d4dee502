"""Celery tasks, each safe to run twice and at the same time; their schedules are below."""

from datetime import timedelta

from celery import shared_task
from django.db import transaction

from collector import clock, retention, wiring
from collector.config import declared, stuck_limits
from collector.intake import fetching, rereading
from collector.lookups import answering
from collector.lookups.requests import TASK as ANSWER_TASK
from collector.retry import outcomes, rights, waking
from collector.retry.dispatch import dispatch
from collector.store import (
    closing,
    failure_versions,
    leaf_statistics,
    letter_bell,
    operations,
    retry_turns,
    sample_chunks,
    sample_indexes,
    service_facts,
    usual_hops,
    usual_least,
    usual_waits,
)
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


@shared_task(name="collector.count_leaves")
def count_leaves() -> None:
    """Tell the planner what open leaves hold now."""
    leaf_statistics.refresh()


@shared_task(name="collector.drop_old")
def drop_old() -> None:
    """Drop what is older than its retention, and ledger rows and names that nothing asks for any more."""
    retention.drop_old(clock.now())


@shared_task(name="collector.keep_within_budget")
def keep_within_budget() -> None:
    """Drop the oldest where more is stored than the disk budget allows."""
    retention.keep_within_budget(clock.now())


# Samples ------------------------------------------------------------------------------------------------------------


@shared_task(name="collector.pack_samples")
def pack_samples() -> None:
    """Turn old samples into chunks, an hour each, and put what stays in order."""
    sample_chunks.pack_old(Leaves(), now=clock.now())
    sample_indexes.renew()


# Paths --------------------------------------------------------------------------------------------------------------


@shared_task(name="collector.learn_usual_hops")
def learn_usual_hops() -> None:
    """Learn what usually comes next, and note what did not, by declared limits of what is known by now, too."""
    usual_hops.learn(now=clock.now())
    usual_waits.learn(now=clock.now())
    with transaction.atomic():
        stuck_limits.settle(declared.document().limits.values(), now=clock.now())


# What is usual, and whose things are --------------------------------------------------------------------------------


@shared_task(name="collector.learn_usual_least")
def learn_usual_least() -> None:
    """Learn how few events topics usually bring at an hour of the day."""
    usual_least.learn(now=clock.now())


@shared_task(name="collector.learn_service_facts")
def learn_service_facts() -> None:
    """Learn what services say of who owns them."""
    service_facts.learn()


# Dead letters and retries -------------------------------------------------------------------------------------------


@shared_task(name=waking.TASK)
def send_retries(operation_id: int) -> None:
    """Send what waits in one operation. An invented id has nothing that waits."""
    dispatch(operation_id, wiring.retry_sender, now=clock.now())


@shared_task(name=waking.CHECK_TASK)
def check_targets(topics: list[int]) -> None:
    """Ask the brokers whether a plan's targets may be written to."""
    rights.check(topics, wiring.retry_rights, now=clock.now)


@shared_task(name="collector.sweep_retries")
def sweep_retries() -> None:
    """Find what a lost wake-up left: each unfinished operation to a worker of its own."""
    for each in retry_turns.unfinished():
        waking.wake(each.id)


@shared_task(name="collector.forget_drafts")
def forget_drafts() -> None:
    """Delete plans that nobody confirmed within their day."""
    operations.forget_drafts(before=clock.now() - timedelta(hours=operations.DRAFT_HOURS))


@shared_task(name="collector.settle_retries")
def settle_retries() -> None:
    """Draw the outcomes of what was sent and is waited for."""
    outcomes.settle(now=clock.now(), looks_far=False)


@shared_task(name="collector.settle_silent_retries")
def settle_silent_retries() -> None:
    """Draw the outcomes of all that was sent, also where they come late."""
    outcomes.settle(now=clock.now(), looks_far=True)


@shared_task(name="collector.ring_letters")
def ring_letters() -> None:
    """Tell the pages of new dead letters."""
    letter_bell.ring()


@shared_task(name="collector.count_letter_keys")
def count_letter_keys() -> None:
    """Count the keys that failure groups touch, and look for the versions that they failed in."""
    counted_at = clock.now()
    letter_bell.count_keys(now=counted_at)
    failure_versions.find_versions(counted_at=counted_at)


@shared_task(name="collector.read_letters_again")
def read_letters_again() -> None:
    """Read again what mappings, merges and newer rules ask for, about a second's worth."""
    rereading.run(wiring.tap_rules(declared.document()), now=clock.now, seconds=rereading.RUN_SECONDS)


@shared_task(name="collector.fetch_letters")
def fetch_letters() -> None:
    """Fetch what lay on topics before somebody said that they hold dead letters, about a second's worth."""
    rules = wiring.tap_rules(declared.document())
    fetching.run(rules, wiring.lookup, now=clock.now, seconds=rereading.RUN_SECONDS)


# Questions from pages ------------------------------------------------------------------------------------------------


@shared_task(name=ANSWER_TASK)
def answer_lookups() -> None:
    """Answer what pages ask of Kafka, and forget what was asked ten minutes ago."""
    answering.run(wiring.peek, wiring.look_rules, now=clock.now)


SCHEDULE = {
    "make-leaves": {"task": "collector.make_leaves", "schedule": 300.0},
    "close-leaves": {"task": "collector.close_leaves", "schedule": 60.0, "options": {"expires": 60.0}},
    "count-leaves": {"task": "collector.count_leaves", "schedule": 60.0, "options": {"expires": 60.0}},
    "drop-old": {"task": "collector.drop_old", "schedule": 300.0},
    "keep-within-budget": {"task": "collector.keep_within_budget", "schedule": 60.0, "options": {"expires": 60.0}},
    "sweep-retries": {"task": "collector.sweep_retries", "schedule": 2.0, "options": {"expires": 2.0}},
    "forget-drafts": {"task": "collector.forget_drafts", "schedule": 3600.0},
    "settle-retries": {"task": "collector.settle_retries", "schedule": 2.0, "options": {"expires": 2.0}},
    "settle-silent-retries": {
        "task": "collector.settle_silent_retries",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "ring-letters": {"task": "collector.ring_letters", "schedule": 1.0, "options": {"expires": 1.0}},
    "count-letter-keys": {"task": "collector.count_letter_keys", "schedule": 30.0, "options": {"expires": 30.0}},
    "read-letters-again": {"task": "collector.read_letters_again", "schedule": 2.0, "options": {"expires": 2.0}},
    "fetch-letters": {"task": "collector.fetch_letters", "schedule": 5.0, "options": {"expires": 5.0}},
    "answer-lookups": {"task": ANSWER_TASK, "schedule": 2.0, "options": {"expires": 2.0}},
    "learn-usual-hops": {"task": "collector.learn_usual_hops", "schedule": 60.0, "options": {"expires": 60.0}},
    "learn-usual-least": {"task": "collector.learn_usual_least", "schedule": 300.0, "options": {"expires": 300.0}},
    "learn-service-facts": {"task": "collector.learn_service_facts", "schedule": 60.0, "options": {"expires": 60.0}},
    "pack-samples": {"task": "collector.pack_samples", "schedule": 600.0},
}
