"""The Rights' in-memory twin (tests/contract/test_rights.py)."""

from collections.abc import Collection, Mapping

from collector.kafka.memory import MemoryBroker
from collector.ports import KafkaUnreachable


class MemoryRights:
    """See collector.ports.Rights. `read_only`: topics that may not be written to."""

    def __init__(self, broker: MemoryBroker, *, read_only: Collection[str] = ()) -> None:
        self._broker = broker
        self._read_only = frozenset(read_only)

    def may_write(self, topics: Collection[str]) -> Mapping[str, bool | None]:
        """From the set."""
        if not self._broker.up:
            raise KafkaUnreachable("Kafka did not answer: the broker of this test is down.")
        return {name: name not in self._read_only for name in topics if name in self._broker.topics}
