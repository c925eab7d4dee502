"""Which letters can be sent, and where each goes: the target a person chose, else the one fewest groups read."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from collector.config import declared
from collector.domain.dead_letters import ATTEMPT_LIMIT, LetterStatus
from collector.domain.dialects import ksqldb
from collector.domain.dialects.names import retry_topics
from collector.domain.retry_targets import Permission, Rules, permission
from collector.retry.allowed import rules
from collector.retry.refusals import NotAllowed
from collector.store import freezing
from collector.store.freezing import Destination, Kind, Topic

_STANDS = {
    LetterStatus.RETRY_REQUESTED: "A retry of it was requested already.",
    LetterStatus.SENT: "It was sent and has no outcome yet.",
    LetterStatus.PROCESSED: "It was processed.",
    LetterStatus.PASSED: "The group passed it and nothing failed.",
    LetterStatus.UNKNOWN: "It may have been sent. Decide that first.",
    LetterStatus.ARCHIVED: "It is archived. Restore it first.",
}
_OPEN = (LetterStatus.OPEN,)
NO_ORIGIN = "It names no topic of this cluster as its origin. Choose a target."
GONE = "There is no such dead letter."
TO_ORIGIN = "*origin"  # as a target: each letter to the topic it came from. No topic can have this name
NEWER = "Newer events with its key have been processed."


@dataclass(frozen=True, slots=True)
class World:
    """What is known of topics, and what is allowed, by cluster and name."""

    topics: Mapping[tuple[int, str], Topic]
    rules: Mapping[tuple[int, str], Rules]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Letters by what can be done: where they go and why they may, and why others cannot (sentence -> letters)."""

    sent: tuple[tuple[Kind, Destination, Permission], ...]
    left_out: Mapping[str, tuple[int, ...]]

    @property
    def letters(self) -> list[int]:
        """Those that can be sent."""
        return [letter for kind, _, _ in self.sent for letter in kind.letters]

    def counts(self) -> Counter[str]:
        """How many cannot be sent, by the reason."""
        return Counter({reason: len(letters) for reason, letters in self.left_out.items()})


def sorted_out(
    cursor: CursorWrapper, wanted: Collection[int], *, target: str | None, stands: Collection[LetterStatus] = _OPEN
) -> Sorted:
    """What can be done with these letters as they stand now: those in `stands` can be sent. Three statements.

    Raises NotAllowed where a person chose a target that some of them may not be sent to, and for letters of several
    clusters: a retry to one that does not answer must not hold back another.
    """
    found = freezing.kinds(cursor, wanted)
    if len(names := sorted({kind.cluster for kind in found})) > 1:
        raise NotAllowed(f"These are of the clusters {', '.join(names)}. One retry sends to one: filter by cluster.")
    world = world_of(cursor, found, target=target)
    sent: list[tuple[Kind, Destination, Permission]] = []
    left_out: dict[str, tuple[int, ...]] = {}
    for kind in found:
        reason = refusal(kind, stands)
        if reason is None:
            try:
                goes, why = destination(kind, target=target, world=world)
                reason = unfit(kind, goes.topic)
                if reason is None:
                    sent.append((kind, goes, why))
                    continue
            except NotAllowed as error:
                if target not in {None, TO_ORIGIN}:
                    raise
                reason = str(error)
        left_out[reason] = (*left_out.get(reason, ()), *kind.letters)
    if missing := set(wanted) - {letter for kind in found for letter in kind.letters}:
        left_out[GONE] = tuple(sorted(missing))
    return Sorted(tuple(sent), left_out)


def world_of(cursor: CursorWrapper, found: Sequence[Kind], *, target: str | None) -> World:
    """Topics and rules for these letters. Two statements."""
    document = declared.document()
    its = {(kind.cluster_id, kind.topic): rules(document, kind.cluster, kind.topic) for kind in found}
    named = {(cluster, name) for (cluster, _), rule in its.items() for name in rule.pairs}
    return World(topics=freezing.topics(cursor, found, target=target, allowed=named), rules=its)


def refusal(kind: Kind, stands: Collection[LetterStatus] = _OPEN) -> str | None:
    """Why letters of this kind cannot be sent now, or None."""
    if not kind.is_observed:
        return f"Their cluster {kind.cluster} is not observed any more."
    if kind.status not in stands:
        in_operation = f" Operation #{kind.operation}." if kind.operation else ""
        return _STANDS[kind.status] + in_operation
    if kind.attempt >= ATTEMPT_LIMIT:
        return f"It died {kind.attempt} times, which is the limit: something in the flow loops."
    if kind.is_empty:
        return "Key and value were not copied to the dead-letter topic."
    if kind.dialect == ksqldb.DIALECT:
        return "A processing log entry holds no record that could be sent. Send the original from its topic."
    return None


def unfit(kind: Kind, target: Topic) -> str | None:
    """Why the target would not take letters of this kind, or None."""
    is_fit = kind.has_key or not target.is_compacted
    return None if is_fit else f"It has no key, which {target.name} needs: that topic is compacted."


def destination(kind: Kind, *, target: str | None, world: World) -> tuple[Destination, Permission]:
    """Where letters of this kind go, and why they may. Raises NotAllowed with what is missing."""
    if target not in {None, TO_ORIGIN}:
        return _allowed(kind, str(target), world)
    own = own_retry(kind, world) if target is None else None
    if own is None and kind.origin is None:
        raise NotAllowed(NO_ORIGIN)
    return own or _allowed(kind, str(kind.origin), world)


def own_retry(kind: Kind, world: World) -> tuple[Destination, Permission] | None:
    """The failed group's own retry topic, where nobody else reads it: one that an admin named, or by its name."""
    if kind.group_id is None:
        return None
    by_name = retry_topics(kind.origin, kind.group) if kind.origin and kind.group else ()
    for name in (*sorted(world.rules[kind.cluster_id, kind.topic].pairs), *by_name):
        topic = world.topics.get((kind.cluster_id, name))
        why = _permission(kind, topic, world) if topic else None
        if topic and why and topic.readers == {kind.group_id}:
            return Destination(topic, verify=why is Permission.ORIGIN), why
    return None


def _allowed(kind: Kind, target: str, world: World) -> tuple[Destination, Permission]:
    topic = world.topics.get((kind.cluster_id, target))
    if topic is None:
        raise NotAllowed(f"{target} does not exist. Choose another topic; Weir never creates topics.")
    why = _permission(kind, topic, world)
    if why is None:
        raise NotAllowed(f"This target is not allowed for {kind.topic}: {target}.")
    return Destination(topic, verify=why is Permission.ORIGIN), why


def _permission(kind: Kind, topic: Topic, world: World) -> Permission | None:
    return permission(
        topic.name,
        target_role=topic.role,
        origin=kind.origin if kind.has_position else None,
        rules=world.rules[kind.cluster_id, kind.topic],
    )
