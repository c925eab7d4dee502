"""The shop's topics: partitions, and how long Kafka keeps them."""

from dataclasses import dataclass

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Retention is short, so that a shop left running for days does not fill the disk."""

    name: str
    n_partitions: int
    retention_ms: int = 2 * HOUR_MS
    retention_bytes: int = -1
    is_compacted: bool = False

    def config(self) -> dict[str, str]:
        """The topic's settings as Kafka takes them. Small segments, because only closed ones are removed."""
        if self.is_compacted:
            return {
                "cleanup.policy": "compact",
                "min.cleanable.dirty.ratio": "0.01",
                "max.compaction.lag.ms": "300000",
                "delete.retention.ms": "60000",
                "segment.ms": "180000",
            }
        return {
            "retention.ms": str(self.retention_ms),
            "retention.bytes": str(self.retention_bytes),
            "segment.ms": str(min(HOUR_MS // 2, self.retention_ms)),
            "segment.bytes": str(16 * 1024 * 1024),
        }


# A dead letter and a retry keep the partition number of the order, so these three have equally many.
ORDERS = "orders.created"
ORDERS_DEAD = "orders.created.dlq"
ORDERS_RETRY = "orders.created.retry.billing"
PRICES_CHANGED = "prices.changed"  # written in transactions: its offsets are more than its records
PRICES_CURRENT = "prices.current"

TOPICS = (
    Topic(ORDERS, 12),
    Topic(ORDERS_DEAD, 12, retention_ms=7 * 24 * HOUR_MS, retention_bytes=48 * 1024 * 1024),
    Topic(ORDERS_RETRY, 12),
    Topic("payments.captured", 6),
    Topic("shipments.planned", 6),
    Topic("invoices.issued", 6),
    Topic("ledger.posted", 3),
    Topic("settlements.prepared", 3),
    Topic("shipments.dispatched", 3),
    Topic("emails.sent", 3),
    Topic("digests.built", 1),
    Topic("loyalty.earned", 3),
    Topic("partner.notices", 3),
    Topic("quotes.requested", 3),
    Topic("quotes.given", 3),
    Topic(PRICES_CHANGED, 1),
    Topic(PRICES_CURRENT, 1, is_compacted=True),
)
