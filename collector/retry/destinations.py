"""Which letters can be sent, and where each goes: the target a person chose, else the one fewest groups read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import ATTEMPT_LIMIT, LetterStatus
from collector.domain.dialects.names import retry_topic
from collector.domain.retry_targets import Permission, Rules, permission
from collector.retry.refusals import NotAllowed
from collector.store import freezing
from collector.store.freezing import Destination, Letter, Topic

_STANDS = {
    LetterStatus.RETRY_REQUESTED: "A retry of it was requested already.",
    LetterStatus.SENT: "It was sent and has no outcome yet.",
    LetterStatus.PROCESSED: "It was processed.",
    LetterStatus.PASSED: "The group passed it and nothing failed.",
    LetterStatus.UNKNOWN: "It may have been sent. Decide that first.",
    LetterStatus.ARCHIVED: "It is archived. Restore it first.",
}


@dataclass(frozen=True, slots=True)
class World:
    """What is known of topics, and what is allowed, by cluster and name."""

    topics: Mapping[tuple[int, str], Topic]
    rules: Mapping[tuple[int, str], Rules]


def world_of(cursor: CursorWrapper, found: Sequence[Letter], *, target: str | None) -> World:
    """Topics and rules for these letters. Two statements."""
    embedded = settings.WEIR_CLUSTER_NAME if settings.WEIR_EMBEDDED_KAFKA else None
    return World(
        topics=freezing.topics(cursor, found, target=target),
        rules=freezing.rules(cursor, found, embedded_cluster=embedded),
    )


def refusal(letter: Letter) -> str | None:
    """Why this letter cannot be sent now, or None."""
    if letter.status is not LetterStatus.OPEN:
        in_operation = f" Operation #{letter.operation}." if letter.operation else ""
        return _STANDS[letter.status] + in_operation
    if letter.attempt >= ATTEMPT_LIMIT:
        return f"It died {letter.attempt} times, which is the limit: something in the flow loops."
    if letter.is_empty and letter.dialect == "share-group":
        return "Key and value were not copied to the dead-letter topic."
    return None


def destination(letter: Letter, *, target: str | None, world: World) -> tuple[Destination, Permission]:
    """Where this letter goes, and why it may. Raises NotAllowed with what is missing."""
    if target is not None:
        return _allowed(letter, target, world)
    if letter.origin is None:
        raise NotAllowed("It names no topic of this cluster as its origin. Choose a target.")
    if letter.group:
        own = retry_topic(letter.origin, letter.group)
        topic = world.topics.get((letter.cluster_id, own))
        why = _permission(letter, topic, world) if topic else None
        if topic and why and topic.readers == {letter.group_id}:
            return _to(letter, topic, why), why
    return _allowed(letter, letter.origin, world)


def _allowed(letter: Letter, target: str, world: World) -> tuple[Destination, Permission]:
    topic = world.topics.get((letter.cluster_id, target))
    if topic is None:
        raise NotAllowed(f"{target} does not exist. Choose another topic; Weir never creates topics.")
    why = _permission(letter, topic, world)
    if why is None:
        raise NotAllowed(f"This target is not allowed for {letter.topic}: {target}.")
    return _to(letter, topic, why), why


def _permission(letter: Letter, topic: Topic, world: World) -> Permission | None:
    has_position = letter.origin_partition is not None and letter.origin_offset is not None
    return permission(
        topic.name,
        target_role=topic.role,
        origin=letter.origin if has_position else None,
        rules=world.rules[letter.cluster_id, letter.topic],
    )


def _to(letter: Letter, topic: Topic, why: Permission) -> Destination:
    """The origin's own partition when it goes back there: the key alone finds it only if both partitioners agree."""
    partition = letter.origin_partition if topic.name == letter.origin else None
    return Destination(topic, partition, verify=why is Permission.ORIGIN)
