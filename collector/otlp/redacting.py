"""A request without what drop rules are meant for: keys of records, and headers that an agent captured."""

from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

KEY_NAMES = frozenset({"messaging.kafka.message.key", "messaging.message.key", "messaging.kafka.key"})
_HEADER = "messaging.header."


def redacted(body: bytes, *, key: bool, headers: Iterable[str]) -> bytes:
    """The same request without these attributes. `headers`: names, in lower case."""
    named = {_plain(name) for name in headers}
    message: TracesData = TracesData.FromString(body)
    for resource_spans in message.resource_spans:
        for scoped in resource_spans.scope_spans:
            for span in scoped.spans:
                for holder in (span, *span.links, *span.events):
                    kept = [pair for pair in holder.attributes if not _is_meant(pair, key, named)]
                    if len(kept) < len(holder.attributes):
                        del holder.attributes[:]
                        holder.attributes.extend(kept)
    return bytes(message.SerializeToString())


def _is_meant(pair: KeyValue, key: bool, headers: set[str]) -> bool:  # noqa: FBT001  as the rule has it
    if pair.key in KEY_NAMES:
        return key
    return pair.key.startswith(_HEADER) and _plain(pair.key.removeprefix(_HEADER)) in headers


def _plain(name: str) -> str:
    """Names of headers as agents write them: without a difference between - and _."""
    return name.lower().replace("-", "_")
