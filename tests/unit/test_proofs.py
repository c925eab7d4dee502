"""Is the record at a claimed origin what the dead letter says: read in few goes, each partition for itself."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from uuid import uuid4

from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_lookup import MemoryLookup
from collector.retry.proofs import refusals
from collector.store.retries import Item

AT = datetime(2026, 11, 28, tzinfo=UTC)


class Counting(MemoryLookup):
    """Counts the goes; retention takes `lost` away between the look at the ends and the first go."""

    def __init__(self, broker: MemoryBroker, lost: int | None = None) -> None:
        super().__init__(broker)
        self.broker, self.lost, self.n = broker, lost, 0

    def between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[Record]:
        self.n += 1
        if self.lost is not None:
            self.broker.topics[topic].low[self.lost] = 1_000
        return super().between(topic, spans)


def _broker() -> MemoryBroker:
    made = MemoryBroker()
    made.create("orders", n_partitions=3)
    for partition in range(3):
        for n in range(200):
            made.append(Record("orders", partition, 0, AT, 1, f"k{n}".encode(), b"v", ()))
    return made


def _item(partition: int, offset: int, *, key: str = "") -> Item:
    return Item(
        operation_id=1,
        ordinal=partition,
        attempt_id=uuid4(),
        dead_letter_id=1,
        number=1,
        dead_letter=Position("orders.dlq", 0, 0),
        target="orders",
        target_partition=None,
        origin=Position("orders", partition, offset),
        key=(key or f"k{offset}").encode(),
        value=b"v",
        original_value=b"v",
        headers=(),
        search_from={},
        n_claims=0,
        cluster="demo",
    )


def test_originals_of_all_partitions_are_read_in_one_go() -> None:
    broker = _broker()
    lookup = Counting(broker)
    items = [_item(partition, offset) for partition in range(3) for offset in (3, 5, 40)]
    assert list(refusals(items, lookup.ends, lookup)) == []
    assert lookup.n == 1


def test_stretches_far_apart_take_a_go_each_and_another_key_is_no_proof() -> None:
    broker = _broker()
    lookup = Counting(broker)
    items = [_item(0, 3), _item(0, 190, key="other"), _item(1, 4), _item(2, 500)]
    refused = {item.origin: why for item, why in refusals(items, lookup.ends, lookup)}
    assert lookup.n == 2
    assert {str(origin): why.partition(",")[0] for origin, why in refused.items()} == {
        "orders/0/190": "The record at orders/0/190 has another key or value",
        "orders/2/500": "The original at orders/2/500 is gone",
    }


def test_what_one_partition_lost_meanwhile_is_none_of_the_others_trouble() -> None:
    broker = _broker()
    lookup = Counting(broker, lost=1)
    items = [_item(partition, 7) for partition in range(3)]
    refused = list(refusals(items, lookup.ends, lookup))
    assert [item.ordinal for item, _ in refused] == [1]
    assert "no longer holds" in refused[0][1]
