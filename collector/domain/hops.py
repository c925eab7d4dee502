"""Span -> Hop: what happened to an event, where, and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from collector.domain import messaging
from collector.domain.positions import Position
from collector.domain.spans import Kind, Link, Span, Status


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


_OPS = {messaging.SEND: Op.SEND, messaging.RECEIVE: Op.RECEIVE, messaging.PROCESS: Op.PROCESS}
_MOST_MESSAGES = 32_767  # span.n_messages is a smallint
_Context = tuple[bytes, bytes]  # trace id, span id


def hops(spans: Sequence[Span]) -> list[Hop | None]:
    """What each span of one request did to messages, in the order of `spans`; None where it did nothing.

    Looks at the other spans of the request too: a poll span and the process span of the same record are one delivery,
    and a process span without a group takes that of the poll that brought its record.
    """
    found = [_hop(span) for span in spans]
    polls = [index for index, hop in enumerate(found) if hop and hop.op is Op.RECEIVE]
    if polls:
        _settle_twins(spans, found, polls)
    return found


def linked_position(hop: Hop, span: Span, link: Link) -> Position | None:
    """The record that a link of a batch span stands for, or None where the span and the link do not say it together."""
    topic = messaging.topic(link.attributes) or hop.topic
    partition = messaging.partition(link.attributes)
    if partition is None:
        partition = messaging.partition(span.attributes)
    offset = messaging.offset(link.attributes)
    if topic is None or partition is None or offset is None:
        return None
    return Position(topic, partition, offset)


def is_backoff(span: Span) -> bool:
    """True for a span that only says "not yet": Spring's KafkaBackoffException is neither failure nor delivery."""
    names = [raised.exception_class for raised in span.raised]
    error_type = span.attributes.get("error.type")
    if isinstance(error_type, str):
        names.append(error_type)
    return any(name.endswith("KafkaBackoffException") for name in names)


def _hop(span: Span) -> Hop | None:
    attributes = span.attributes
    if not attributes or not messaging.is_kafka(attributes):
        return None
    op = _OPS.get(messaging.operation(attributes, span.kind) or "")
    topic = messaging.topic(attributes) or _topic_of_links(span.links)
    if op is None or topic is None:
        return None
    consumes = op is not Op.SEND
    place = messaging.place(attributes, topic=topic, scope=span.scope) or _place_of_only_link(span)
    backoff = is_backoff(span)
    return Hop(
        op=op,
        edge=EdgeKind.CONSUME if consumes else EdgeKind.PRODUCE,
        topic=topic,
        kafka_cluster_id=messaging.cluster_id(attributes),
        partition=place[0] if place else None,
        offset=place[1] if place else None,
        group=_group(span) if consumes else None,
        client_id=messaging.client_id(attributes),
        n_messages=0 if backoff else _n_messages(span, op, has_place=place is not None),
        n_bytes=messaging.size_bytes(attributes),
        failed=span.status is Status.ERROR and not backoff,
    )


def _topic_of_links(links: tuple[Link, ...]) -> str | None:
    topics = {messaging.topic(link.attributes) for link in links if link.attributes}
    return topics.pop() if len(topics) == 1 else None


def _place_of_only_link(span: Span) -> tuple[int, int] | None:
    """A poll that brought one record says the offset on its link only (the Java agent's opt-in)."""
    if len(span.links) != 1 or not span.links[0].attributes:
        return None
    attributes = span.links[0].attributes
    partition, offset = messaging.partition(attributes), messaging.offset(attributes)
    if partition is None:
        partition = messaging.partition(span.attributes)
    return None if partition is None or offset is None else (partition, offset)


def _group(span: Span) -> str | None:
    if found := messaging.group(span.attributes):
        return found
    for link in span.links:
        if link.attributes and (found := messaging.group(link.attributes)):
            return found
    declared = span.resource.attributes.get("messaging.consumer.group.name")
    return declared if isinstance(declared, str) and declared else None


def _n_messages(span: Span, op: Op, *, has_place: bool) -> int:
    """How many messages the span stands for, before its siblings are looked at."""
    if _is_shadow(span, op):
        return 0
    if has_place:
        return 1
    if (count := messaging.batch_count(span.attributes)) is not None:
        return min(count, _MOST_MESSAGES)
    if op is Op.SEND:
        return 1
    return min(max(1, len(span.links)), _MOST_MESSAGES)


def _is_shadow(span: Span, op: Op) -> bool:
    """True where the same library reports every message of this span on a span of its own as well."""
    if op is Op.SEND:
        return span.kind is Kind.CLIENT and bool(span.links)  # a batch send links to the Create span of each message
    if op is Op.PROCESS:
        return False
    batch = messaging.batch_count(span.attributes) is not None
    always_processed = span.scope.startswith("io.opentelemetry.kafka") or (batch and "kafkajs" in span.scope)
    return always_processed or (batch and "aiokafka" in span.scope)


def _settle_twins(spans: Sequence[Span], found: list[Hop | None], polls: list[int]) -> None:
    """Count poll and process spans of the same record once, and let the poll's group explain the process span."""
    by_context: dict[_Context, list[int]] = {}
    for index, hop in enumerate(found):
        if hop and hop.op is Op.PROCESS:
            for context in _causes(spans[index]):
                by_context.setdefault(context, []).append(index)
    for index in polls:
        span, poll = spans[index], found[index]
        if poll is None:
            continue
        own = by_context.get((span.trace_id, span.span_id), [])
        shared = [twin for context in _causes(span) for twin in by_context.get(context, [])]
        twins = {twin for twin in (*own, *shared) if _are_twins(spans, found, index, twin)}
        if twins and poll.n_messages:
            seen = sum(hop.n_messages for twin in twins if (hop := found[twin]))
            found[index] = replace(poll, n_messages=max(0, poll.n_messages - max(seen, len(own))))
        for twin in twins:
            found[twin] = _explained(found[twin], poll)


def _causes(span: Span) -> set[_Context]:
    causes = {(link.trace_id, link.span_id) for link in span.links}
    if span.parent_id is not None:
        causes.add((span.trace_id, span.parent_id))
    return causes


def _are_twins(spans: Sequence[Span], found: list[Hop | None], poll: int, process: int) -> bool:
    one, other = found[poll], found[process]
    if one is None or other is None or _speaker(spans[poll]) != _speaker(spans[process]):
        return False
    if one.group is not None and other.group is not None and one.group != other.group:
        return False
    return one.topic == other.topic


def _speaker(span: Span) -> tuple[str, str, str]:
    return span.resource.namespace, span.resource.name, span.resource.instance


def _explained(process: Hop | None, poll: Hop) -> Hop | None:
    if process is None or (process.group is not None and process.client_id is not None):
        return process
    return replace(process, group=process.group or poll.group, client_id=process.client_id or poll.client_id)
