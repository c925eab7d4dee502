"""The ids that a broker gave to topics, as the sampler would write them down."""

import time
from collections.abc import Collection
from uuid import UUID

from collector.kafka.rights import KafkaRights

SECONDS = 20


def topic_ids(bootstrap: str, names: Collection[str]) -> dict[str, UUID]:
    """By name; waits until the broker knows all of them."""
    rights = KafkaRights({"bootstrap.servers": bootstrap})
    until = time.monotonic() + SECONDS
    while True:
        found = {name: grant.kafka_id for name, grant in rights.granted(names).items() if grant.kafka_id is not None}
        if found.keys() >= set(names):
            return found
        assert time.monotonic() < until, f"the broker knows {sorted(found)} of {sorted(names)}"
