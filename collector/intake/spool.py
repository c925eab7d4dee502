"""Spool records -> requests: OTLP bytes read, each span packed with what it did to messages."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from google.protobuf.message import DecodeError

from collector.domain.masking import Rules
from collector.domain.records import Record
from collector.intake.native import Compiled
from collector.intake.packing import Packed, packed
from collector.intake.reading import Faults, Rows, undecodable
from collector.intake.scanning import Scanner
from collector.otlp import Malformed, decode_protobuf, mended, slim
from collector.otlp.redacting import redacted
from collector.ports import Partition
from collector.store.positions import Place
from collector.store.records import Undecodable
from collector.store.spans import Failed, Request

DIGEST_BYTES = 16
NO_RULES = Rules()


class SpoolReading:
    """See collector.intake.reading.Reading. Remembers what it has read: one per thread.

    `drops`: what rules drop from records before anything is stored.
    """

    def __init__(self, compiled: Compiled | None = None, drops: Rules = NO_RULES) -> None:
        self.scanner = Scanner(compiled)
        self._drops = drops
        self._faults = Faults()

    def rows(self, records: Sequence[Record], places: Mapping[Partition, Place]) -> Rows:
        """One request per record."""
        requests, garbage = self._faults.each(records, places, self.request, self.unstorable)
        return Rows(requests=requests, undecodable=garbage)

    def request(self, record: Record) -> Request:
        """The spans of one spool record. Raises Malformed."""
        if record.value is None:
            raise Malformed("an empty record where OTLP was expected")
        source = (record.first("source") or b"").decode("utf-8", "replace")
        body = record.value
        try:
            found = self.scanner.scan(body, source)
        except DecodeError:  # read again by the parser that everybody knows: it says what is wrong
            found = packed(decode_protobuf(body).spans, self.scanner.sketches, source)
            body = mended(body)
        return self.made(record, found, body)

    def made(self, record: Record, found: Packed, body: bytes) -> Request:
        """The request that this record is, by what was found in `body`."""
        failed: Sequence[Failed] = found.failed
        if clean := self._cleaner(found):
            body = clean(body)
            failed = [each._replace(span=slim.bare(clean(slim.around(each.span)))) for each in failed]
        packed_so_far = (found.heads, found.sketches, found.links, found.errors, found.sampled)
        return Request(digest(record), *packed_so_far, body, failed)

    def _cleaner(self, found: Packed) -> Callable[[bytes], bytes] | None:
        """What rules drop from records of a topic is not kept in spans that speak of that topic either."""
        if not self._drops.all:
            return None
        aim = self._drops.of(*{sketch.hop.topic for sketch in set(found.sketches) if sketch.hop})
        return partial(redacted, key=aim.key, headers=aim.headers) if aim.key or aim.headers else None

    def unstorable(self, record: Record, places: Mapping[Partition, Place], reason: str) -> Undecodable:
        """With its first bytes, as everything that cannot be decoded."""
        return undecodable(record, places, reason)


def digest(record: Record) -> UUID:
    """What tells requests apart: the body's digest with the part's number; else the value itself.

    A spool may still hold records of the time when the digest was the key.
    """
    found = record.first("digest") or record.key
    if found is None or len(found) != DIGEST_BYTES:
        return _hashed(record.value or b"")
    return _hashed(found + (record.first("part") or b""))


def _hashed(body: bytes) -> UUID:
    return UUID(bytes=hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest())
