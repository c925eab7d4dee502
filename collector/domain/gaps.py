"""What is missing around a hop, as far as what was seen tells: so that a path never looks whole where it is not."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from collector.domain.hops import Op
from collector.domain.readings import ConsumeKey, ProduceKey
from collector.domain.sightings import Context, LinkSeen, SpanSeen

if TYPE_CHECKING:
    from collector.domain.weaving import Loom

Missing = Literal["writer", "cause", "context", "sender"]
"""writer: the record names the span that wrote it, and that span is not stored. cause: the span that sent it says what
it is inside of, or links to, and that is not stored. context: no span and no trace header tells who wrote it.
sender: the span that read it names its sender's span, and that is not stored. Not stored: not there yet, sampled out,
dropped by its sender, or past retention."""


def missing_around(loom: "Loom", key: ProduceKey | ConsumeKey) -> tuple[Missing, ...]:
    """What is known to be missing around this hop."""
    return _of_sent(loom, key) if isinstance(key, ProduceKey) else _of_read(loom, key)


def _of_sent(loom: "Loom", key: ProduceKey) -> tuple[Missing, ...]:
    node = loom.nodes[key.node]
    told_by_record = set(loom.known_by(key)) - {"parent", "link"}
    if node.span is not None:
        return ("cause",) if not told_by_record and _is_cut_off(loom, node.span) else ()
    if node.record is None or node.resent is not None:
        return ()
    if node.record.context is None:
        return () if told_by_record else ("context",)
    if (span := loom.spans.get(node.record.context)) is None:
        return ("writer",)
    return ("cause",) if span.op is not Op.SEND and _is_cut_off(loom, span) else ()


def _of_read(loom: "Loom", key: ConsumeKey) -> tuple[Missing, ...]:
    node = loom.nodes.get(key.node)
    if node is not None and (node.span is not None or node.resent is not None):
        return ()
    named = {context for span in loom.readings[key].spans for context in _senders_named_by(loom, span)}
    return ("sender",) if named and not named & loom.spans.keys() else ()


def _is_cut_off(loom: "Loom", span: SpanSeen) -> bool:
    """Whether the way up from this span to what was read ends at a span that is named and not stored."""
    seen: set[Context] = set()
    at: SpanSeen | None = span
    while at is not None and at.context not in seen:
        seen.add(at.context)
        if at.context in loom.read:
            return at.place is None and any(_is_unknown(loom, link) for link in loom.links.get(at.context, ()))
        if _reads_nothing_known(loom, at) or any(context not in loom.spans for context in _named_by(loom, at)):
            return True
        at = loom.spans.get(at.parent) if at.parent else None
    return False


def _reads_nothing_known(loom: "Loom", span: SpanSeen) -> bool:
    """A poll in which something was sent, and within which no reading is stored (kafkajs eachBatch)."""
    return span.op is Op.RECEIVE and not loom.processed_inside.get(span.context)


def _is_unknown(loom: "Loom", link: LinkSeen) -> bool:
    """Whether nothing tells which record this link of a batch stands for."""
    return link.place is None and link.linked not in loom.spans and link.linked not in loom.written


def _senders_named_by(loom: "Loom", span: SpanSeen) -> Iterable[Context]:
    """A reading that links says by its links what it read; its parent is then what it happened in."""
    if links := loom.links.get(span.context):
        return [link.linked for link in links]
    return [span.parent] if span.parent else []


def _named_by(loom: "Loom", span: SpanSeen) -> Iterable[Context]:
    if span.parent:
        yield span.parent
    for link in loom.links.get(span.context, ()):
        yield link.linked
