"""The Rights' in-memory twin (tests/contract/test_rights.py)."""

from collections.abc import Collection, Mapping

from collector.kafka.memory import MemoryBroker
from collector.ports import Grant, KafkaUnreachable


class MemoryRights:
    """See collector.ports.Rights. `read_only`: topics that may not be written to."""

    def __init__(self, broker: MemoryBroker, *, read_only: Collection[str] = ()) -> None:
        self._broker = broker
        self._read_only = frozenset(read_only)

    def granted(self, topics: Collection[str]) -> Mapping[str, Grant]:
        """From the set, and the broker's lists."""
        if not self._broker.up:
            raise KafkaUnreachable("Kafka did not answer: the broker of this test is down.")
        known = self._broker.topics
        return {name: Grant(name not in self._read_only, known[name].kafka_id) for name in topics if name in known}
