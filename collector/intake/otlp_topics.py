"""Records of OTLP topics, as an OpenTelemetry Collector's Kafka exporter writes them -> what the spool's become."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from collector.domain.records import Record
from collector.intake.native import Compiled
from collector.intake.reading import Rows, undecodable
from collector.intake.spool import DIGEST_BYTES, SpoolReading
from collector.otlp import Malformed, Parts, parts_of_json, parts_of_protobuf
from collector.ports import Partition
from collector.store.positions import Place
from collector.store.records import Undecodable

log = logging.getLogger(__name__)

READERS: Mapping[str, Callable[[bytes], Parts]] = {"otlp_proto": parts_of_protobuf, "otlp_json": parts_of_json}


class OtlpTopicReading:
    """See collector.intake.reading.Reading. `encodings`: topic -> otlp_proto or otlp_json; nothing in a record says it.

    `sources`: topic -> who its spans come from. What a record's key or headers claim is not believed: a key may be a
    trace's id, which many records share.
    """

    def __init__(
        self,
        encodings: Mapping[str, str],
        compiled: Compiled | None = None,
        *,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._encodings = encodings
        self._sources = sources or {}
        self._spool = SpoolReading(compiled)

    def rows(self, records: Sequence[Record], places: Mapping[Partition, Place]) -> Rows:
        """The same as the receiver and the spool make of it; what was refused in a record is a row, too."""
        taken: list[Record] = []
        refused: list[Undecodable] = []
        for record in records:
            try:
                parts = READERS[self._encodings[record.topic]](record.value or b"")
            except Malformed as error:
                refused.append(undecodable(record, places, str(error)))
            except Exception as error:
                # A decoder's fault must not stop the intake at this record for ever; its bytes stay in Kafka.
                log.exception("cannot read %s/%d/%d", record.topic, record.partition, record.offset)
                refused.append(undecodable(record, places, f"the decoder failed ({type(error).__name__})"))
            else:
                taken.extend(_spooled(record, parts, self._sources.get(record.topic, "")))
                if parts.n_rejected:
                    refused.append(undecodable(record, places, parts.reason))
        rows = self._spool.rows(taken, places)
        return replace(rows, undecodable=(*rows.undecodable, *refused))

    def unstorable(self, record: Record, places: Mapping[Partition, Place], reason: str) -> Undecodable:
        """With its first bytes, as everything that cannot be decoded."""
        return undecodable(record, places, reason)


def _spooled(record: Record, parts: Parts, source: str) -> Iterator[Record]:
    """As the receiver would have written it: the body's digest as the key, source and part's number in headers."""
    digest = hashlib.blake2b(record.value or b"", digest_size=DIGEST_BYTES).digest()
    for number, body in enumerate(parts.parts):
        part = f"{number}/{len(parts.parts)}"
        yield replace(record, key=digest, value=body, headers=(("source", source.encode()), ("part", part.encode())))
