"""Answers questions to Kafka, few at once: a cluster that does not answer must not keep retries from a thread."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from django.db import connection, transaction

from collector.changes import announce
from collector.domain.lookups import Question
from collector.lookups.reading import Found, NoSuchTopic, read
from collector.lookups.sifting import LookRules, Sieve
from collector.ports import KafkaRefused, KafkaUnreachable, Peek
from collector.store import lookups as store
from collector.store.leadership import Lead, locked
from collector.store.lookups import Asked

AT_ONCE = 2  # of all workers together
Open = Callable[[str], AbstractContextManager[Peek]]
_FAULT = "A fault of Weir's kept it from being read; the worker's log tells more."


def run(open_peek: Open, rules: Callable[[], LookRules], *, now: Callable[[], datetime]) -> None:
    """Answer what waits, and forget what is old. `open_peek`: a way to a cluster, by its name."""
    with transaction.atomic(), connection.cursor() as cursor:
        store.forget(cursor, now=now())
        for number in store.give_up(cursor, now=now()):
            announce("lookups", number)
        if not store.is_anything_waiting(cursor):
            return
    with locked(Lead.LOOKUP, range(AT_ONCE)) as has_place:
        while has_place and (asked := store.take(now=now())):
            _answer(asked, open_peek, rules, now=now)


def _answer(asked: Asked, open_peek: Open, rules: Callable[[], LookRules], *, now: Callable[[], datetime]) -> None:
    found, trouble = Found(), _FAULT
    try:
        found = _read(asked, open_peek, rules())
        trouble = ""
    except (KafkaUnreachable, KafkaRefused, NoSuchTopic) as error:
        trouble = str(error)
    finally:
        with transaction.atomic(), connection.cursor() as cursor:
            if trouble:
                store.fail(cursor, asked.id, trouble, now=now())
            else:
                numbers = {"n_read": found.n_read, "n_read_bytes": found.n_read_bytes}
                store.answer(
                    cursor,
                    asked.id,
                    found.matches,
                    found.courses,
                    **numbers,
                    n_partitions=found.n_partitions,
                    now=now(),
                )
            announce("lookups", asked.id)


def _read(asked: Asked, open_peek: Open, rules: LookRules) -> Found:
    if asked.is_deleted:
        raise NoSuchTopic(f"The topic {asked.topic} was deleted.")
    question = Question.of_plain(asked.question)
    sieve = Sieve(question, rules, topic=asked.topic, holds_letters=asked.holds_letters)
    with open_peek(asked.cluster) as peek:
        return read(question, asked.topic, peek, sieve, clock=time.monotonic)
