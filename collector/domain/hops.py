"""Span -> Hop: what happened to an event, where, and by whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import chain, islice

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
MOST_COMPARED = 1_000_000  # of one request: 25,000 polls and as many process spans of one parent would take minutes
_MOST_MESSAGES = 32_767  # span.n_messages is a smallint
Context = tuple[bytes, bytes]  # trace id, span id
Speaker = tuple[str, str, str]  # namespace, name, instance
READ = messaging.READ | {"error.type"}
"""Names of the attributes whose values the rules below look at."""


@dataclass(frozen=True, slots=True)
class Told:
    """A hop, and what of its span tells which other hops of the request speak of the same records."""

    hop: Hop
    context: Context
    causes: frozenset[Context]  # its parent and what it links to
    speaker: Speaker


def hops(spans: Sequence[Span]) -> list[Hop | None]:
    """What each span of one request did to messages, in the order of `spans`; None where it did nothing.

    Looks at the other spans of the request too: a poll span and the process span of the same record are one delivery,
    and a process span without a group takes that of the poll that brought its record.
    """
    found = [hop_of(span) for span in spans]
    told = {index: _told(span, hop) for index, (span, hop) in enumerate(zip(spans, found, strict=True)) if hop}
    for index, hop in zip(told, settled(list(told.values())), strict=True):
        found[index] = hop
    return found


def settled(told: Sequence[Told]) -> list[Hop]:
    """The hops of one request, each record's poll and process spans counted once; a poll's group explains the others.

    Without both polls and process spans all stays as it is.
    """
    found = [each.hop for each in told]
    by_context: dict[Context, list[int]] = {}
    for index, each in enumerate(told):
        if each.hop.op is Op.PROCESS:
            for context in each.causes:
                by_context.setdefault(context, []).append(index)
    left = MOST_COMPARED
    for index, each in enumerate(told):
        if by_context and each.hop.op is Op.RECEIVE:
            left -= _settle_twins(told, found, by_context, index, most=left)
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
    return any(map(is_backoff_class, names))


def is_backoff_class(exception_class: str) -> bool:
    """True for the exception by which Spring says "not yet"."""
    return exception_class.endswith("KafkaBackoffException")


def hop_of(span: Span) -> Hop | None:
    """What one span did, before its siblings are looked at; None where it did nothing to messages."""
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


def _settle_twins(
    told: Sequence[Told], found: list[Hop], by_context: Mapping[Context, list[int]], poll: int, *, most: int
) -> int:
    """Look at up to `most` spans that may speak of the same records as this poll; at how many."""
    its = told[poll]
    own = by_context.get(its.context, [])
    shared = (twin for context in its.causes for twin in by_context.get(context, ()))
    near = list(islice(chain(own, shared), most))
    twins = {twin for twin in near if _are_twins(told, found, poll, twin)}
    if twins and found[poll].n_messages:
        seen = sum(found[twin].n_messages for twin in twins)
        found[poll] = replace(found[poll], n_messages=max(0, found[poll].n_messages - max(seen, len(own))))
    for twin in twins:
        found[twin] = _explained(found[twin], found[poll])
    return len(near)


def _told(span: Span, hop: Hop) -> Told:
    causes = {(link.trace_id, link.span_id) for link in span.links}
    if span.parent_id is not None:
        causes.add((span.trace_id, span.parent_id))
    who = span.resource
    return Told(hop, (span.trace_id, span.span_id), frozenset(causes), (who.namespace, who.name, who.instance))


def _are_twins(told: Sequence[Told], found: Sequence[Hop], poll: int, process: int) -> bool:
    if told[poll].speaker != told[process].speaker:
        return False
    one, other = found[poll], found[process]
    if one.group is not None and other.group is not None and one.group != other.group:
        return False
    return one.topic == other.topic


def _explained(process: Hop, poll: Hop) -> Hop:
    if process.group is not None and process.client_id is not None:
        return process
    return replace(process, group=process.group or poll.group, client_id=process.client_id or poll.client_id)
