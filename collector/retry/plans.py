"""What sending one dead letter would do: where it goes and why it may, who gets it, and what to think of first."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.domain.frames import readable
from collector.domain.records import Headers
from collector.domain.resending import removed, unsendable
from collector.domain.retry_targets import Permission
from collector.retry.blast import Reader, blast
from collector.retry.choices import Choice, choices
from collector.retry.destinations import Sorted, destination, refusal, unfit, world_of
from collector.retry.refusals import Changed, NotAllowed
from collector.retry.rights import refused
from collector.store import freezing, key_order
from collector.store.freezing import Kind
from collector.store.key_order import MOST_NEWER
from collector.store.target_rights import Right


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """What came behind a letter. `newer`: that events of its key were processed since, as a sentence; "" for none.

    `is_unknown`: nobody can say, for not all events before `known_from` were seen, or nobody ever looked.
    """

    newer: str = ""
    is_unknown: bool = False
    known_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Of one letter. `refusal` says why it cannot be sent; then `target` may be None.

    `is_sendable`: it could be sent, if not there. `downstream`: topics and groups within two hops.
    """

    dead_letter: int
    cluster: str
    target: str | None
    why: str
    refusal: str | None
    readers: tuple[Reader, ...]
    removed_headers: tuple[str, ...]
    order: KeyOrder
    warnings: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    right: Right | None = None  # whether Weir may write there
    is_sendable: bool = True

    @property
    def must_type(self) -> bool:
        """Whether the number is asked for, as of a plan of many."""
        return self.order.is_unknown or any(not reader.n_failed for reader in self.readers)

    def agree(self, typed: str) -> None:
        """Raises Changed where the number is asked for and was not typed."""
        if self.must_type and typed.strip() != "1":
            raise Changed("Type 1 to confirm.")


def plan(letter_id: int, *, target: str | None = None, now: datetime) -> Plan | None:
    """The plan for a letter, to `target` or to where it would go by itself; None where there is no such letter."""
    with connection.cursor() as cursor:
        found = freezing.kinds(cursor, [letter_id])
        if not found:
            return None
        kind = found[0]
        headers = _headers(cursor, letter_id)
        stops = refusal(kind) or unsendable(headers)
        order = _order(cursor, letter_id)
        gone = removed(headers or ())
        made = Plan(letter_id, kind.cluster, target, "", stops, (), gone, order, is_sendable=stops is None)
        try:
            goes, why = destination(kind, target=target, world=world_of(cursor, found, target=target))
        except NotAllowed as error:
            return replace(made, refusal=made.refusal or str(error))
        seen = blast(cursor, Sorted(((kind, goes, why),), {}), left_out=(), now=now)
        (there,) = seen.targets
        return replace(
            made,
            target=there.topic,
            refusal=made.refusal
            or unfit(kind, goes.topic)
            or (refused(there.topic) if there.right and there.right.may_write is False else None),
            right=there.right,
            why=_why(cursor, why, kind, letter_id),
            readers=seen.readers,
            warnings=(*_warnings(seen.readers), *there.warnings),
            downstream=seen.downstream,
        )


def targets(letter_id: int, *, chosen: str | None) -> tuple[Choice, ...]:
    """Where an open letter may go: where it goes by itself first, then its origin and what an admin names, each topic
    once; `chosen` is among them."""
    with connection.cursor() as cursor:
        found = choices(cursor, [letter_id], chosen=chosen)
    each: dict[tuple[str, ...], Choice] = {}
    for choice in found:
        each.setdefault(choice.topics, choice)
    return tuple(each.values())


def why_not(letter_id: int) -> str | None:
    """Why the letter can be sent nowhere as it stands, or None."""
    with connection.cursor() as cursor:
        found = freezing.kinds(cursor, [letter_id])
        return (refusal(found[0]) or unsendable(_headers(cursor, letter_id))) if found else None


def _headers(cursor: CursorWrapper, letter_id: int) -> Headers | None:
    cursor.execute("select headers from dead_letter_body where dead_letter_id = %s", [letter_id])
    return readable(cursor.fetchone()[0])


def order_of(letter_id: int) -> KeyOrder:
    """What came behind one letter."""
    with connection.cursor() as cursor:
        return _order(cursor, letter_id)


def _why(cursor: CursorWrapper, why: Permission, kind: Kind, letter_id: int) -> str:
    if why is not Permission.ORIGIN:
        return f"{why}."
    cursor.execute("select origin_partition, origin_offset from dead_letter where id = %s", [letter_id])
    partition, offset = cursor.fetchone()
    return f"Compared before the send: {kind.origin}/{partition}/{offset} must hold the same key and value."


def _order(cursor: CursorWrapper, letter_id: int) -> KeyOrder:
    found = key_order.order_of(cursor, [letter_id], seconds=key_order.GLANCE_SECONDS)
    newer = _newer(key_order.n_newer(cursor, letter_id)) if found.newer else ""
    return KeyOrder(newer, bool(found.unknown), found.known_from)


def _newer(n: int | None) -> str:
    if n is None or n >= MOST_NEWER:
        many = "Newer events" if n is None else f"{n:,} or more newer events"
    else:
        many = f"{n:,} newer event{'' if n == 1 else 's'}"
    were = "was" if n == 1 else "were"
    return f"{many} with this key {were} processed since. Retrying may overwrite newer state."


def _warnings(readers: tuple[Reader, ...]) -> list[str]:
    found = []
    if others := [reader.name for reader in readers if not reader.n_failed]:
        found.append(f"Groups that did not fail get it again: {', '.join(others)}.")
    if not readers:
        found.append("No group that Weir knows reads this topic.")
    return found
