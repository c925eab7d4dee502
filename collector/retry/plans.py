"""What sending one dead letter would do: where it goes and why it may, who gets it, and what to think of first."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.frames import readable
from collector.domain.resending import removed, unsendable
from collector.domain.retry_targets import Permission
from collector.retry.blast import too_large
from collector.retry.destinations import destination, refusal, unfit, world_of
from collector.retry.refusals import NotAllowed
from collector.retry.rights import looked_up, refused
from collector.store import blast_radius, freezing
from collector.store.freezing import Destination, Kind, Topic
from collector.store.target_rights import Right

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
    right: Right | None = None  # whether Weir may write there


def plan(letter_id: int, *, target: str | None = None, now: datetime) -> Plan | None:
    """The plan for a letter, to `target` or to where it would go by itself; None where there is no such letter."""
    with connection.cursor() as cursor:
        found = freezing.kinds(cursor, [letter_id])
        if not found:
            return None
        kind = found[0]
        cursor.execute("select headers from dead_letter_body where dead_letter_id = %s", [letter_id])
        headers = readable(cursor.fetchone()[0])
        stops = refusal(kind) or unsendable(headers)
        made = Plan(letter_id, target, "", stops, (), removed(headers or ()), None, ())
        try:
            goes, why = destination(kind, target=target, world=world_of(cursor, found, target=target))
        except NotAllowed as error:
            return replace(made, refusal=made.refusal or str(error))
        readers = _readers(cursor, goes, kind)
        n_newer = _newer(cursor, letter_id)
        right = looked_up(cursor, [goes.topic.id], now=now).get(goes.topic.id)
        return replace(
            made,
            target=goes.topic.name,
            refusal=made.refusal
            or unfit(kind, goes.topic)
            or (refused(goes.topic.name) if right and right.may_write is False else None),
            right=right,
            why=_why(cursor, why, kind, letter_id),
            readers=readers,
            n_newer=n_newer,
            warnings=(*_warnings(readers, n_newer), *_size(cursor, letter_id, goes.topic)),
        )


def _why(cursor: CursorWrapper, why: Permission, kind: Kind, letter_id: int) -> str:
    if why is not Permission.ORIGIN:
        return f"{why}."
    cursor.execute("select origin_partition, origin_offset from dead_letter where id = %s", [letter_id])
    partition, offset = cursor.fetchone()
    return f"Compared before the send: {kind.origin}/{partition}/{offset} must hold the same key and value."


def _readers(cursor: CursorWrapper, goes: Destination, kind: Kind) -> tuple[Reader, ...]:
    cursor.execute(
        "select g.id, g.name, n.lag, n.lag_seconds from consumer_group g"
        " left join group_now n on n.group_id = g.id and n.topic_id = %s"
        " where g.id = any(%s) and g.name not like 'weir-%%' order by g.name",
        [goes.topic.id, list(goes.topic.readers)],
    )
    return tuple(
        Reader(name, number == kind.group_id, lag, lag_seconds) for number, name, lag, lag_seconds in cursor.fetchall()
    )


def _newer(cursor: CursorWrapper, letter_id: int) -> int | None:
    """Events of the same key behind the origin, where the key is some text that is searched by."""
    cursor.execute(
        "select d.key_text is not null and d.origin_offset is not null, (select count(*) from (select 1"
        "  from record_key k where k.value = d.key_text and k.name_id = 1 and k.topic_id = d.origin_topic_id"
        "  and k.kafka_partition = d.origin_partition and k.kafka_offset > d.origin_offset limit %s) n)"
        " from dead_letter d where d.id = %s",
        [MOST_NEWER, letter_id],
    )
    is_known, n = cursor.fetchone()
    return int(n) if is_known else None


def _size(cursor: CursorWrapper, letter_id: int, target: Topic) -> list[str]:
    if target.most_bytes is None:
        return []
    n = blast_radius.n_too_large(cursor, [(letter_id, target.id)], {target.id: target.most_bytes}).get(target.id, 0)
    return [too_large(n, target.most_bytes)] if n else []


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
