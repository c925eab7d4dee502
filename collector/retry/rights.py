"""May Weir write where a plan sends? A worker asks the brokers, as the user that sends, before anybody confirms."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import groupby

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.ports import Grant, KafkaRefused, KafkaUnreachable, Rights
from collector.retry.refusals import NotAllowed
from collector.retry.waking import wake_to_check
from collector.store import target_rights
from collector.store.target_rights import Right

ASK_AGAIN_AFTER = timedelta(seconds=30)
COUNTS_FOR = timedelta(minutes=10)


def looked_up(cursor: CursorWrapper, topics: Collection[int], *, now: datetime) -> Mapping[int, Right]:
    """What is known of these topics; a worker is asked where that is nothing, or old."""
    if to_ask := target_rights.ask(cursor, topics, now=now, again_after=ASK_AGAIN_AFTER):
        transaction.on_commit(lambda: wake_to_check(to_ask))
    return target_rights.known(cursor, topics)


def refused(name: str) -> str:
    """What is said of a topic that Weir may not write to."""
    return f"Weir may not write to {name}. Grant Write there to the user that sends its retries."


def refuse(cursor: CursorWrapper, topics: Iterable[tuple[int, str]], *, now: datetime) -> None:
    """Raises NotAllowed where the brokers said so lately of one of these (id, name)."""
    names = dict(topics)
    for number, right in target_rights.known(cursor, names).items():
        if right.may_write is False and right.checked_at and now - right.checked_at < COUNTS_FOR:
            raise NotAllowed(refused(names[number]))


def check(
    topics: Collection[int],
    open_rights: Callable[[str], AbstractContextManager[Rights]],
    *,
    now: Callable[[], datetime],
) -> None:
    """Ask the brokers about these topics, one cluster after the other, and tell the pages. `open_rights`: by name."""
    with connection.cursor() as cursor:
        found = target_rights.names(cursor, topics)
    for cluster, group in groupby(found, key=lambda row: row[1]):
        ids = {name: number for number, _, name in group}
        told: Mapping[str, Grant] = {}
        trouble = ""
        try:
            with open_rights(cluster) as rights:
                told = rights.granted(list(ids))
        except (KafkaUnreachable, KafkaRefused) as error:
            trouble = str(error)
        with transaction.atomic(), connection.cursor() as cursor:
            answers = {number: told[name].may_write if name in told else None for name, number in ids.items()}
            target_rights.note(cursor, answers, trouble=trouble, now=now())
            announce("retries", 0)
