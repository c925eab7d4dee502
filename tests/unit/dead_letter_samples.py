"""Dead letters as six frameworks really wrote them (tests/data/dead_letters.jsonl), as records."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from collector.domain.records import Record

_FILE = Path(__file__).parent.parent / "data" / "dead_letters.jsonl"
_TIMESTAMP_TYPES = {"CreateTime": 1, "LogAppendTime": 2}


def samples() -> dict[str, Record]:
    """The records by "topic/partition/offset"."""
    found = [_record(json.loads(line)) for line in _FILE.read_text().splitlines()]
    return {f"{record.topic}/{record.partition}/{record.offset}": record for record in found}


def _record(row: dict[str, object]) -> Record:
    fields = dict(row)
    return Record(
        topic=str(fields["topic"]),
        partition=int(str(fields["partition"])),
        offset=int(str(fields["offset"])),
        produced_at=datetime.fromtimestamp(int(str(fields["timestamp"])) / 1000, UTC),
        timestamp_type=_TIMESTAMP_TYPES[str(fields["timestamp_type"])],
        key=_bytes(fields["key"]),
        value=_bytes(fields["value"]),
        headers=tuple((name, _bytes(value)) for name, value in fields["headers"]),  # type: ignore[attr-defined]
    )


def _bytes(text: object) -> bytes | None:
    return None if text is None else base64.b64decode(str(text))
