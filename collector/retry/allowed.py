"""What is allowed as it is declared now: where letters may go besides their origin."""

import math
import time
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from collector.config import declared
from collector.config.document import Document
from collector.domain.retry_targets import Permission, Rules, permission
from collector.store.retries import Item

DECLARED_SECONDS = 2.0  # so old may the declaration be that a worker goes by


def rules(document: Document, cluster: str, dead_letter_topic: str) -> Rules:
    """What holds for the letters of one dead-letter topic of a cluster, by its shown name."""
    pairs = {
        each.target
        for each in document.retries.values()
        if each.cluster in {"", cluster} and dead_letter_topic in each.dead_letters
    }
    return Rules(frozenset(pairs), is_embedded=settings.WEIR_EMBEDDED_KAFKA and _embedded(document) == cluster)


def _embedded(document: Document) -> str | None:
    """The shown name of the broker that is Weir's own."""
    if not document.clusters:
        return str(settings.WEIR_CLUSTER_NAME)
    return next((name for name, each in document.clusters.items() if each.environment), None)


class Allowance:
    """A worker's look at the declaration, at most two seconds old."""

    def __init__(self) -> None:
        self._read_at = -math.inf
        self._document = Document()

    def refusals(self, items: Sequence[Item]) -> dict[UUID, str]:
        """Items that may not go to their targets any more, and why."""
        if time.monotonic() - self._read_at > DECLARED_SECONDS:
            self._document, self._read_at = declared.document(), time.monotonic()
        found: dict[tuple[str, str], Rules] = {}
        refused = {}
        for item in items:
            where = item.cluster, item.dead_letter.topic
            its = found.get(where) or found.setdefault(where, rules(self._document, *where))
            origin = item.origin.topic if item.origin else None
            why = permission(item.target, target_role=item.target_role, origin=origin, rules=its)
            if why is None or (why is Permission.ORIGIN and item.origin is None):
                refused[item.attempt_id] = f"{item.target} is not allowed for {item.dead_letter.topic} any more."
        return refused
