"""One Kafka record as it was read, byte for byte."""

from dataclasses import dataclass
from datetime import datetime

# A name that is no UTF-8 holds lone surrogates for its bytes (PEP 383): frames.framed gives them back.
Headers = tuple[tuple[str, bytes | None], ...]
RECORD_BYTES, HEADER_BYTES = 350, 150  # what one takes beside its bytes, as tracemalloc has it


@dataclass(slots=True, unsafe_hash=True)  # a frozen one takes three to ten times as long to make: a µs a record
class Record:
    """A record of an observed topic, never changed. Header order and duplicates are kept; None is no empty value."""

    topic: str
    partition: int
    offset: int
    produced_at: datetime | None
    timestamp_type: int  # 0 none, 1 create time, 2 log append time
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def held_bytes(self) -> int:
        """About how much memory it takes."""
        n_bytes = RECORD_BYTES + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:
            n_bytes += HEADER_BYTES + len(name) + (len(value) if value else 0)
        return n_bytes

    def last(self, name: str) -> bytes | None:
        """Value of the last header with this name (who wrote this copy), or None."""
        for found, value in reversed(self.headers):
            if found == name:
                return value
        return None

    def first(self, name: str) -> bytes | None:
        """Value of the first header with this name, or None."""
        for found, value in self.headers:
            if found == name:
                return value
        return None


def size_of(record: Record) -> int:
    """Key, value and headers, in bytes."""
    headers = sum([len(value or b"") for _, value in record.headers])
    names = "".join([name for name, _ in record.headers])
    headers += len(names) if names.isascii() else len(names.encode("utf-8", "surrogateescape"))
    return len(record.key or b"") + len(record.value or b"") + headers
