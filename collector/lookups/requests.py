"""A question to Kafka asked from a page: noted, and a worker woken. The answer is kept for ten minutes."""

import logging
from datetime import datetime

from django.db import connection, transaction

from collector.domain.lookups import Question
from collector.store import lookups as store
from collector.waking import woken

log = logging.getLogger(__name__)

TASK = "collector.answer_lookups"
KEPT_FOR = store.KEPT_FOR
MOST_WAITING = 3  # questions of one person that are not answered yet
MOST_KEPT = 10  # questions of one person: the oldest goes


class TooMany(Exception):
    """Three of your samples still wait to be read. Ask again when one of them is there."""


def ask(*, person_id: int, topic_id: int, question: Question, now: datetime) -> int:
    """Note a question of this person, and its number. Raises TooMany. Inside the caller's transaction, if any."""
    with transaction.atomic(), connection.cursor() as cursor:
        if store.waiting(cursor, person_id, now=now) >= MOST_WAITING:
            raise TooMany(TooMany.__doc__)
        store.keep_newest(cursor, person_id, MOST_KEPT - 1)
        number = store.ask(cursor, person_id=person_id, topic_id=topic_id, question=question.as_plain(), now=now)
        transaction.on_commit(_wake)
    return number


def _wake() -> None:
    if problem := woken(TASK, []):
        log.warning("Nobody could be woken for a question to Kafka (%s); the sweep will find it.", problem)
