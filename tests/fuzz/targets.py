"""What a fuzzer gives bytes to: each parser that meets the outside, with what must hold of any bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from collector.domain import (
    contexts,
    dialects,
    fingerprints,
    frames,
    json_paths,
    json_values,
    masking,
    record_ids,
    sampling,
    stacks,
)
from collector.domain.masking import Aim
from collector.domain.records import Record
from collector.intake.native import compiled
from collector.intake.spool import SpoolReading
from collector.otlp import (
    Decoded,
    Malformed,
    decode_json,
    decode_protobuf,
    mended,
    parts_of_json,
    parts_of_protobuf,
)
from collector.otlp.parts import Parts
from collector.otlp.redacting import redacted
from collector.receive import unpacking
from tests.unit import test_scanning, test_taps_native
from tests.unit.span_rows import expected

T = TypeVar("T")
MOST_BYTES = 1_000_000
FORGET_AFTER = 5_000  # runs
AIMS = Aim(tuple(map(json_paths.parse, ("$..card", "$.a[*].b", "$.x", "$..a..a"))), frozenset({"x-user"}), key=True)
NAMES = (
    "traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags",
    "ce_id", "ce_type", "ce_source", "content-type", "event-id", "order-id", "tenant", "kafka_correlationId", "x-user",
    "x-weir-attempt", "kafka_dlt-original-topic", "kafka_dlt-original-offset", "kafka_dlt-exception-stacktrace",
    "kafka_exception-fqcn", "retry_topic-attempts", "__connect.errors.topic", "__connect.errors.offset",
    "__streams.errors.exception", "dead-letter-topic", "dead-letter-offset", "topic_poisoned", "x-death",
    "DT-Fault-Message", "NServiceBus.ExceptionInfo.StackTrace",
)  # fmt: skip
LETTERS = ("orders.dlq", "orders-dlt", "orders-retry-1", "orders")


class Source:
    """Bytes, taken from in front as numbers and pieces; where none are left, zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, most: int) -> bytes:
        """At most so many."""
        self._at += most
        return self._data[self._at - most : self._at]

    def number(self, size: int = 1) -> int:
        """Of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def one_of(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[self.number() % len(choices)]


class Pair:
    """The two ways of reading spans, both of which remember; begun anew now and then."""

    def __init__(self) -> None:
        self._n_runs = 0
        self._begin()

    def _begin(self) -> None:
        self._plain, self._compiled = SpoolReading(), SpoolReading(compiled())

    def check(self, body: bytes) -> None:
        """The rules, the scanner and the compiled scanner say the same, also at second sight."""
        self._n_runs += 1
        if self._n_runs % FORGET_AFTER == 0:
            self._begin()
        by_the_rules = test_scanning.told(lambda each: expected(each, test_scanning.SOURCE), body)
        for reading in (self._plain, self._compiled, self._compiled):
            assert test_scanning.told(lambda each, its=reading: test_scanning.read(each, its), body) == by_the_rules


_PAIR = Pair()


def spans(data: bytes) -> None:
    """A request in the spool."""
    _PAIR.check(data)


def _is_split_whole(data: bytes, decode: Callable[[bytes], Decoded], split: Callable[[bytes], Parts]) -> bool:
    """The parts of a request hold just its spans, and can be read. False where it is refused, by both."""
    try:
        whole = decode(data)
    except Malformed:
        assert _is_refused(split, data)
        return False
    parts = split(data)
    assert sum(len(decode_protobuf(part).spans) for part in parts.parts) == parts.n_spans == len(whole.spans)
    return True


def protobuf(data: bytes) -> None:
    """A request as it comes in."""
    if _is_split_whole(data, decode_protobuf, parts_of_protobuf):
        redacted(mended(data), key=True, headers=("x",))


def json(data: bytes) -> None:
    """The same in JSON."""
    _is_split_whole(data, decode_json, parts_of_json)


def bodies(data: bytes) -> None:
    """Compressed ones."""
    coding = ("gzip", "zstd", "deflate", "")[data[0] % 4 if data else 0]
    try:
        found = unpacking.unpacked(data[1:], coding, limit_bytes=MOST_BYTES)
    except (unpacking.TooLarge, unpacking.BadCoding):
        return
    assert len(found) <= MOST_BYTES


def taps(data: bytes) -> None:
    """Records of observed topics, in C and in Python."""
    source = Source(data)
    test_taps_native.assert_same(*(record(source, test_taps_native.TOPICS) for _ in range(1 + source.number() % 4)))


def letters(data: bytes) -> None:
    """Dead letters, their stacks, and what is masked in them."""
    its = record(Source(data), LETTERS)
    if found := dialects.read(its):
        fingerprints.fingerprint(found, dead_letter_topic=its.topic)
        masking.without_shapes(found.message)
    contexts.writer(its)
    record_ids.ids_of(its)
    assert frames.unframed(frames.framed(its.headers)) == its.headers
    masking.concealed(AIMS, key=its.key, value=its.value, headers=its.headers)
    masking.masked_texts(AIMS, key=its.key, value=its.value, headers=its.headers)
    masking.dropped(its, AIMS)


def framed_headers(data: bytes) -> None:
    """Headers as they lie in Postgres."""
    with suppress(frames.Malformed):
        frames.unframed(data)


def texts(data: bytes) -> None:
    """What is looked for in any text."""
    text = data.decode("utf-8", "replace")
    sampling.more(text)
    masking.without_shapes(text)
    fingerprints.normalised(text)
    stacks.sections(text)
    with suppress(json_paths.NotAPath):
        json_paths.parse(text)
    with suppress(json_values.NotJson):
        json_values.loads(text)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (spans, protobuf, json, bodies, taps, letters, framed_headers, texts)
}


def record(source: Source, topics: Sequence[str]) -> Record:
    """A record such as somebody hostile would write."""
    kind = source.number()
    return Record(
        source.one_of(topics) if kind & 1 else topics[0],
        source.number() % 4,
        source.number(8) >> 1,
        test_taps_native.AT + timedelta(seconds=source.number(4)) if kind & 2 else _moment(source),
        source.number() % 3,
        source.take(source.number()) if kind & 4 else None,
        source.take(source.number(2) % 600) if kind & 8 else None,
        tuple(_headers(source)),
    )


def _headers(source: Source) -> Iterator[tuple[str, bytes | None]]:
    for _ in range(source.number() % 9):
        kind = source.number()
        name = source.one_of(NAMES) if kind & 3 else source.take(source.number()).decode("utf-8", "surrogateescape")
        yield name, None if kind & 0xF0 == 0xF0 else source.take(source.number())


def _moment(source: Source) -> datetime | None:
    seconds = source.number(5)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds % 250_000_000_000) if seconds else None


def _is_refused(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except Malformed:
        return True
    return False
