"""Requests as real libraries sent them, for the tests of the decoders and of the hops."""

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent.parent / "data" / "otlp_requests.jsonl"


@dataclass(frozen=True)
class Sample:
    """One request: which library sent it, with old or new attribute names, and its bytes."""

    service: str
    semconv: str
    body: bytes


def samples() -> list[Sample]:
    """All of them, in the file's order."""
    return [
        Sample(line["service"], line["semconv"], gzip.decompress(base64.b64decode(line["body_gzip"])))
        for line in map(json.loads, FILE.read_text().splitlines())
    ]


def of(service: str, semconv: str = "default") -> list[Sample]:
    """The samples of one service."""
    return [sample for sample in samples() if (sample.service, sample.semconv) == (service, semconv)]
