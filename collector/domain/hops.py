"""Span -> Hop: what happened to an event, where, and by whom."""

from dataclasses import dataclass
from enum import IntEnum


class Op(IntEnum):
    """What a span did to messages. The numbers are stored in span.op."""

    OTHER = 0  # not a message span, or one that says nothing of a topic
    SEND = 1
    RECEIVE = 2
    PROCESS = 3


class EdgeKind(IntEnum):
    """Direction between a service and a topic. The numbers are stored in edge.kind."""

    PRODUCE = 1
    CONSUME = 2


@dataclass(frozen=True, slots=True)
class Hop:
    """One messaging span, normalised over all generations of attribute names.

    `n_messages` is how many sends or deliveries the span counts for: 0 for twins, shadows and back-offs, n for
    batches. It is decided here, once, so that every sum agrees. `kafka_cluster_id`, `group` and `client_id` are
    None where the span does not say; the position is None unless partition and offset can be trusted.
    """

    op: Op
    edge: EdgeKind | None
    topic: str | None
    kafka_cluster_id: str | None
    partition: int | None
    offset: int | None
    group: str | None
    client_id: str | None
    n_messages: int
    n_bytes: int | None
    failed: bool
