"""What sending one dead letter would do: where it goes and why it may, who gets it, and what to think of first."""

from dataclasses import dataclass, replace

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.frames import unframed
from collector.domain.resending import removed, unsendable
from collector.domain.retry_targets import Permission
from collector.retry.destinations import destination, refusal, world_of
from collector.retry.refusals import NotAllowed
from collector.store import freezing
from collector.store.freezing import Destination, Letter

MOST_NEWER = 1_000  # events of the same key are counted up to here


@dataclass(frozen=True, slots=True)
class Reader:
    """A group that will get the copy. `failed_it`: this group is the one that gave the letter up."""

    name: str
    failed_it: bool
    lag: int | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one letter. `refusal` says why it cannot be sent; then `target` may be None.

    `n_newer`: later events of the same key in the origin's partition, up to MOST_NEWER; None where that is not known.
    """

    dead_letter: int
    target: str | None
    why: str
    refusal: str | None
    readers: tuple[Reader, ...]
    removed_headers: tuple[str, ...]
    n_newer: int | None
    warnings: tuple[str, ...]


def plan(letter_id: int, *, target: str | None = None) -> Plan | None:
    """The plan for a letter, to `target` or to where it would go by itself; None where there is no such letter."""
    with connection.cursor() as cursor:
        found = freezing.letters(cursor, [letter_id], lock=False)
        if not found:
            return None
        letter = found[0]
        cursor.execute("select headers from dead_letter_body where dead_letter_id = %s", [letter_id])
        headers = unframed(cursor.fetchone()[0])
        made = Plan(letter_id, target, "", refusal(letter) or unsendable(headers), (), removed(headers), None, ())
        try:
            goes, why = destination(letter, target=target, world=world_of(cursor, found, target=target))
        except NotAllowed as error:
            return replace(made, refusal=made.refusal or str(error))
        readers = _readers(cursor, goes, letter)
        n_newer = _newer(cursor, letter)
        return replace(
            made,
            target=goes.topic.name,
            why=_why(why, letter),
            readers=readers,
            n_newer=n_newer,
            warnings=tuple(_warnings(readers, n_newer)),
        )


def _why(why: Permission, letter: Letter) -> str:
    if why is not Permission.ORIGIN:
        return f"{why}."
    place = f"{letter.origin}/{letter.origin_partition}/{letter.origin_offset}"
    return f"Compared before the send: {place} must hold the same key and value."


def _readers(cursor: CursorWrapper, goes: Destination, letter: Letter) -> tuple[Reader, ...]:
    cursor.execute(
        "select g.id, g.name, n.lag, n.lag_seconds from consumer_group g"
        " left join group_now n on n.group_id = g.id and n.topic_id = %s"
        " where g.id = any(%s) and g.name not like 'weir-%%' order by g.name",
        [goes.topic.id, list(goes.topic.readers)],
    )
    return tuple(
        Reader(name, number == letter.group_id, lag, lag_seconds)
        for number, name, lag, lag_seconds in cursor.fetchall()
    )


def _newer(cursor: CursorWrapper, letter: Letter) -> int | None:
    """Events of the same key behind the origin, where the key is some text that is searched by."""
    cursor.execute(
        "select count(*) from (select 1 from dead_letter d join record_key k on k.value = d.key_text and k.name_id = 1"
        "  and k.topic_id = d.origin_topic_id and k.kafka_partition = d.origin_partition"
        "  and k.kafka_offset > d.origin_offset where d.id = %s limit %s) n",
        [letter.id, MOST_NEWER],
    )
    n = int(cursor.fetchone()[0])
    return n if letter.key_hash is not None and letter.origin_offset is not None else None


def _warnings(readers: tuple[Reader, ...], n_newer: int | None) -> list[str]:
    found = []
    if others := [reader.name for reader in readers if not reader.failed_it]:
        found.append(f"Groups that did not fail get it again: {', '.join(others)}.")
    if not readers:
        found.append("No group that Weir knows reads this topic.")
    if n_newer:
        more = "or more " if n_newer >= MOST_NEWER else ""
        found.append(f"{n_newer:,} {more}newer events with this key. Retrying may overwrite newer state.")
    return found
