"""Where the letters of a plan could go: the failed groups' own retry topics, the topics they came from, an admin's."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.config import declared
from collector.retry.allowed import rules
from collector.retry.destinations import TO_ORIGIN, Sorted, sorted_out
from collector.store import freezing


@dataclass(frozen=True, slots=True)
class Choice:
    """One target. `value` is what a person sends ("" for the default); `n`: how many letters can go there."""

    value: str
    topics: tuple[str, ...]
    groups: tuple[str, ...]
    n: int


def choices(cursor: CursorWrapper, letters: Collection[int], *, chosen: str | None) -> tuple[Choice, ...]:
    """The default first: what fewest groups read. About eight statements."""
    usual, origin = (sorted_out(cursor, letters, target=target) for target in (None, TO_ORIGIN))
    found = [_choice(cursor, "", usual)]
    if _topics(origin) != _topics(usual):
        found.append(_choice(cursor, TO_ORIGIN, origin))
    document = declared.document()
    of = {(kind.cluster, kind.topic) for kind, _, _ in usual.sent}
    named = {target for where in of for target in rules(document, *where).pairs}
    if chosen not in {None, TO_ORIGIN}:
        named.add(str(chosen))
    found += [Choice(name, (name,), (), len(usual.letters)) for name in sorted(named)]
    return tuple(found)


def _choice(cursor: CursorWrapper, value: str, found: Sorted) -> Choice:
    ids = {reader for _, goes, _ in found.sent for reader in goes.topic.readers}
    return Choice(value, _topics(found), freezing.group_names(cursor, ids), len(found.letters))


def _topics(found: Sorted) -> tuple[str, ...]:
    return tuple(sorted({goes.topic.name for _, goes, _ in found.sent}))
