"""Where a dead letter may be sent: the rule that a forged header must not get around."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from collector.domain.dialects.names import role

DEAD_LETTER, INTERNAL = 1, 3  # as stored in topic.role


class Permission(StrEnum):
    """Why a topic may be the target."""

    ADMIN = "Allowed by an admin"
    EMBEDDED = "Allowed on Weir's own broker"
    ORIGIN = "Allowed where the origin holds the same key and value"  # compared by the worker before each send


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one dead-letter topic: the targets an admin named for it, and whether the broker is Weir's own."""

    pairs: Collection[str]
    is_embedded: bool


def permission(target: str, *, target_role: int, origin: str | None, rules: Rules) -> Permission | None:
    """Why `target` may be sent to, or None. `origin`: the topic a letter claims, if with a position to compare."""
    if role(target) in {"internal", "dead_letter"} or target_role in {DEAD_LETTER, INTERNAL}:
        return None
    if target in rules.pairs:
        return Permission.ADMIN
    if rules.is_embedded:
        return Permission.EMBEDDED
    return Permission.ORIGIN if target == origin else None
