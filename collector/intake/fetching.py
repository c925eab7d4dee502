"""Records that lay on a topic before somebody said that it holds dead letters, fetched from Kafka and parked.

The intake had read them as any records; it does not read them again, so that nothing is stored twice.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from django.db import connection, transaction

from collector.changes import announce
from collector.domain.letter_forms import parked_form
from collector.intake.rereading import SETTLE
from collector.intake.taps import TapRules
from collector.ports import KafkaRefused, KafkaUnreachable, Lookup, Unreadable
from collector.store import dead_letters, letter_fetches, rereadings
from collector.store.letter_fetches import Fetch

SLICE = 500  # records of a partition at a time
Open = Callable[[str], AbstractContextManager[Lookup]]


def run(rules: TapRules, open_lookup: Open, *, now: Callable[[], datetime], seconds: float) -> None:
    """Go on with what was asked for, at most so long. `open_lookup`: a way to a cluster, by its name."""
    until = time.monotonic() + seconds
    while step(rules, open_lookup, now=now()) and time.monotonic() < until:
        pass


def step(rules: TapRules, open_lookup: Open, *, now: datetime, limit: int = SLICE) -> bool:
    """Fetch the next records of the oldest job; whether there were any."""
    with transaction.atomic(), connection.cursor() as cursor:
        job = letter_fetches.oldest(cursor)
        if job is None:
            return False
        try:
            with open_lookup(job.cluster) as lookup:
                n_done = _fetch(job, lookup, rules, now=now, limit=limit)
        except (KafkaUnreachable, KafkaRefused, Unreadable) as error:
            letter_fetches.note_trouble(cursor, job.topic_id, str(error))
            return False
        if not n_done and now - job.asked_at > SETTLE:
            letter_fetches.end(cursor, job.topic_id, now=now)
            rereadings.ask(cursor, why="mapping", topic_id=job.topic_id, by="Weir", now=now)
        announce("letters")
        return n_done > 0


def _fetch(job: Fetch, lookup: Lookup, rules: TapRules, *, now: datetime, limit: int) -> int:
    """How many offsets were gone through."""
    ends = lookup.ends(job.topic)
    spans = {}
    for number, (low, high) in ends.items():
        start = max(job.next_offsets.get(number, low), low)
        spans[number] = start, max(start, min(start + limit, high, job.taken_up_to.get(number, low)))
    mapping = rules.mapping_of(job.topic)
    found = [
        (record, job.topic_id, letter)
        for record in lookup.between(job.topic, spans)
        if (letter := parked_form(record, mapping, rules.hidden)) is not None
    ]
    with connection.cursor() as cursor:
        if found:
            dead_letters.park(cursor, found, now=now)
        letter_fetches.advance(
            cursor,
            job.topic_id,
            next_offsets={number: end for number, (_, end) in spans.items()},
            n_done=(n_done := sum(end - start for start, end in spans.values())),
            n_all=sum(max(0, job.taken_up_to.get(number, low) - low) for number, (low, _) in ends.items()),
        )
    return n_done
