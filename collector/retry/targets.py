"""The targets as their brokers know them now: their ends, the right to write there, whether they are still the same."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from collector.clock import running_seconds
from collector.ports import Grant, KafkaRefused, Lookup, Rights
from collector.retry.rights import refused
from collector.store.retries import Item

ENDS_SECONDS = 2.0  # so old may the ends be from which a search would start
GRANT_SECONDS = 30.0  # so old may the answer be whether a target may be written to
ELSEWHERE = "Its cluster {} is not observed any more."
_GONE = "{} was deleted, or created again, since this was frozen."


class Ends:
    """Both ends of the targets' partitions; an end from a moment ago only makes a search begin earlier."""

    def __init__(self, lookup: Lookup, *, has_shrunk: Callable[[str], None]) -> None:
        self._lookup = lookup
        self._has_shrunk = has_shrunk
        self._found: dict[str, tuple[float, Mapping[int, tuple[int, int]]]] = {}

    def of(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Partition -> (first, next offset), at most two seconds old; empty where there is no such topic.

        Where an end is lower than before, `has_shrunk` is told: another topic may have the name now.
        """
        at, before = self._found.get(topic, (0.0, {}))
        if before and running_seconds() - at <= ENDS_SECONDS:
            return before
        found = dict(self._lookup.ends(topic))
        if any(found.get(number, (0, 0))[1] < high for number, (_, high) in before.items()):
            self._has_shrunk(topic)
        self._found[topic] = (running_seconds(), found)
        return found


class Grants:
    """What brokers say of the targets to the user that sends, at most half a minute old."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._asked_at: dict[str, float] = {}
        self._found: dict[str, Grant] = {}

    def need(self, topics: Collection[str]) -> None:
        """Raises KafkaRefused where the brokers say that one of these may not be written to."""
        for topic, grant in sorted(self.of(topics).items()):
            if grant.may_write is False:
                self.forget(topic)
                raise KafkaRefused(refused(topic))

    def of(self, topics: Collection[str]) -> Mapping[str, Grant]:
        """Of those that are there."""
        old = [topic for topic in topics if running_seconds() - self._asked_at.get(topic, -math.inf) > GRANT_SECONDS]
        if old:
            for topic in old:
                self._found.pop(topic, None)
            self._found |= self._rights.granted(old)
            self._asked_at |= dict.fromkeys(old, running_seconds())
        return {topic: self._found[topic] for topic in topics if topic in self._found}

    def forget(self, topic: str) -> None:
        """Ask anew next time."""
        self._asked_at.pop(topic, None)


def astray(items: Sequence[Item], cluster: str, grants: Grants) -> dict[UUID, str]:
    """Those whose target is not what has its name on this cluster now, and why: a namesake gets nothing."""
    elsewhere = {item.attempt_id: ELSEWHERE.format(item.cluster) for item in items if item.cluster != cluster}
    near = [item for item in items if item.attempt_id not in elsewhere]
    granted = grants.of({item.target for item in near if not item.is_gone})
    return elsewhere | {
        item.attempt_id: _GONE.format(item.target)
        for item in near
        if item.is_gone or _is_another(item.target_id, granted.get(item.target))
    }


def _is_another(frozen: UUID | None, grant: Grant | None) -> bool:
    return frozen is not None and grant is not None and grant.kafka_id not in (None, frozen)
