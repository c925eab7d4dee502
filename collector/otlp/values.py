"""Attribute values of OTLP messages -> plain values that Postgres and JSON can hold."""

import math
from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.domain.spans import Value
from collector.domain.texts import storable
from collector.otlp.limits import MAX_ATTRIBUTES, MAX_NAME_CHARACTERS, MAX_VALUE_BYTES, Tally


def attributes(pairs: Iterable[KeyValue], tally: Tally) -> dict[str, Value]:
    """A dict of the first 128 attributes; what is beyond them is counted in `tally`. Of equal keys the last stays."""
    found: dict[str, Value] = {}
    for n_seen, pair in enumerate(pairs):
        if n_seen >= MAX_ATTRIBUTES:
            tally.n_cut += 1
            continue
        key = pair.key
        if len(key) > MAX_NAME_CHARACTERS:
            key, tally.n_cut = key[:MAX_NAME_CHARACTERS], tally.n_cut + 1
        found[storable(key)] = value(pair.value, tally)
    return found


def value(any_value: AnyValue, tally: Tally) -> Value:
    """The value, cut at 16 kB. Numbers that JSON has no form for become text; None where nothing is set."""
    kind = any_value.WhichOneof("value")
    if kind == "string_value":
        return text(any_value.string_value, tally)
    if kind == "int_value":
        return int(any_value.int_value)
    if kind == "bool_value":
        return bool(any_value.bool_value)
    if kind == "double_value":
        number = float(any_value.double_value)
        return number if math.isfinite(number) else str(number)
    return _compound(any_value, kind, tally)


def text(raw: str, tally: Tally, *, most: int = MAX_VALUE_BYTES) -> str:
    """Text that can be stored, of at most `most` characters."""
    if len(raw) > most:
        tally.n_cut += 1
        raw = raw[:most]
    return storable(raw)


def _compound(any_value: AnyValue, kind: str | None, tally: Tally) -> Value:
    if kind == "bytes_value":
        raw = bytes(any_value.bytes_value)
        tally.n_cut += len(raw) > MAX_VALUE_BYTES
        return raw[:MAX_VALUE_BYTES]
    if kind not in ("array_value", "kvlist_value"):
        return None
    if any_value.ByteSize() > MAX_VALUE_BYTES:  # a cut list would read like a whole one
        tally.n_cut += 1
        return None
    if kind == "array_value":
        return tuple(value(item, tally) for item in any_value.array_value.values)
    return {storable(pair.key): value(pair.value, tally) for pair in any_value.kvlist_value.values}
