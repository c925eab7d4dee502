"""Records of OTLP topics, as an OpenTelemetry Collector's Kafka exporter writes them -> what the spool's become."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from google.protobuf.message import DecodeError

from collector.domain.masking import Rules
from collector.domain.records import Record
from collector.intake.native import Compiled
from collector.intake.reading import Faults, Rows, undecodable
from collector.intake.spool import DIGEST_BYTES, NO_RULES, SpoolReading
from collector.otlp import Malformed, Parts, parts_of_json, parts_of_protobuf
from collector.otlp.limits import MAX_BODY_BYTES
from collector.ports import Partition
from collector.store.positions import Place
from collector.store.records import Undecodable
from collector.store.spans import Request

JSON = "otlp_json"


class OtlpTopicReading:
    """See collector.intake.reading.Reading. `encodings`: topic -> otlp_proto or otlp_json; nothing in a record says it.

    `sources`: topic -> who its spans come from. What a record's key or headers claim is not believed: a key may be a
    trace's id, which many records share.
    """

    def __init__(
        self,
        encodings: Mapping[str, str],
        compiled: Compiled | None = None,
        drops: Rules = NO_RULES,
        *,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._encodings = encodings
        self._sources = sources or {}
        self._spool = SpoolReading(compiled, drops)
        self._faults = Faults()

    def rows(self, records: Sequence[Record], places: Mapping[Partition, Place]) -> Rows:
        """The same as the receiver and the spool make of it; what was refused in a record is a row, too."""
        found, garbage = self._faults.each(records, places, self._requests, self.unstorable)
        for _, record, reason in found:
            if reason:
                garbage.append(self.unstorable(record, places, reason))
        return Rows(requests=[each for requests, *_ in found for each in requests], undecodable=garbage)

    def unstorable(self, record: Record, places: Mapping[Partition, Place], reason: str) -> Undecodable:
        """With its first bytes, as everything that cannot be decoded."""
        return undecodable(record, places, reason)

    def _requests(self, record: Record) -> tuple[list[Request], Record, str]:
        """What a record holds, and why some of its spans were refused. Raises Malformed."""
        if len(record.value or b"") > MAX_BODY_BYTES:
            raise Malformed(f"The body is larger than {MAX_BODY_BYTES} bytes.")
        is_json = self._encodings[record.topic] == JSON
        if not is_json and (found := self._at_once(record)):
            return [found], record, ""
        parts = (parts_of_json if is_json else parts_of_protobuf)(record.value or b"")
        requests = [self._spool.request(each) for each in _spooled(record, parts, self._source(record))]
        return requests, record, parts.reason if parts.n_rejected else ""

    def _at_once(self, record: Record) -> Request | None:
        """A binary record without fault, parsed once; None where the slower way must say what is wrong with it."""
        body = record.value or b""
        try:
            found = self._spool.scanner.scan(body, self._source(record))
        except DecodeError:
            return None
        if found.n_refused or not found.heads:
            return None
        return self._spool.made(_copy(record, _digest(body), body, "0/1", self._source(record)), found, body)

    def _source(self, record: Record) -> str:
        return self._sources.get(record.topic, "")


def _spooled(record: Record, parts: Parts, source: str) -> Iterator[Record]:
    digest = _digest(record.value or b"")
    for number, body in enumerate(parts.parts):
        yield _copy(record, digest, body, f"{number}/{len(parts.parts)}", source)


def _copy(record: Record, digest: bytes, body: bytes, part: str, source: str) -> Record:
    """As the receiver would have written it: the body's digest, source and part's number in headers."""
    headers = (("digest", digest), ("source", source.encode()), ("part", part.encode()))
    return replace(record, key=None, value=body, headers=headers)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()
