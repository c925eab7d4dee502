"""Where the letters of a plan could go: the failed groups' own retry topics, the topics they came from, an admin's."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.config import declared
from collector.retry.allowed import rules
from collector.retry.destinations import TO_ORIGIN, Sorted, refusal, sorted_out, world_of
from collector.store import freezing
from collector.store.freezing import Kind, Topic


@dataclass(frozen=True, slots=True)
class Choice:
    """One target. `value` is what a person sends ("" for the default); `n`: how many letters can go there."""

    value: str
    topics: tuple[str, ...]
    groups: tuple[str, ...]
    n: int


def choices(cursor: CursorWrapper, letters: Collection[int], *, chosen: str | None) -> tuple[Choice, ...]:
    """The default first: what fewest groups read. About ten statements."""
    usual, origin = (sorted_out(cursor, letters, target=target) for target in (None, TO_ORIGIN))
    found = [_choice(cursor, "", usual)]
    if _topics(origin) != _topics(usual):
        found.append(_choice(cursor, TO_ORIGIN, origin))
    kinds = [kind for kind, _, _ in usual.sent] or [
        kind for kind in freezing.kinds(cursor, letters) if refusal(kind) is None
    ]
    document = declared.document()
    named = {target for kind in kinds for target in rules(document, kind.cluster, kind.topic).pairs}
    if chosen not in {None, TO_ORIGIN}:
        named.add(str(chosen))
    if named:
        topics = world_of(cursor, kinds, target=chosen).topics
        n = sum(len(kind.letters) for kind in kinds)
        found += [Choice(name, (name,), _groups(cursor, name, kinds, topics), n) for name in sorted(named)]
    return tuple(found)


def _groups(
    cursor: CursorWrapper, name: str, kinds: Sequence[Kind], topics: Mapping[tuple[int, str], Topic]
) -> tuple[str, ...]:
    """Who reads the topic of this name."""
    of_each = (topics.get((cluster, name)) for cluster in {kind.cluster_id for kind in kinds})
    return freezing.group_names(cursor, {reader for topic in of_each if topic for reader in topic.readers})


def _choice(cursor: CursorWrapper, value: str, found: Sorted) -> Choice:
    ids = {reader for _, goes, _ in found.sent for reader in goes.topic.readers}
    return Choice(value, _topics(found), freezing.group_names(cursor, ids), len(found.letters))


def _topics(found: Sorted) -> tuple[str, ...]:
    return tuple(sorted({goes.topic.name for _, goes, _ in found.sent}))
