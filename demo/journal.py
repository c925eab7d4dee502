"""The truth log: what a service really did, one line of JSON each, apart from anything that is traced.

Exactness. A `produced` line is written when the delivery report came, so it never tells of a record that is not in
Kafka; a record whose report was not yet handled when the process was killed (a tenth of a second at most) is in Kafka
and not in the log. A `consumed` line is written when the record has been processed; a process that is killed before has
no line and will be handed the record again, and then it counts as delivered as often as a line says so. Each line is
one write to a file opened for appending: SIGKILL cannot tear or lose a line that was written (a power cut can).
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.parts import Part
from demo.records import Letter, Outcome, Position, Record


def folder_in(state_dir: Path) -> Path:
    """Where the truth logs of all services lie."""
    return state_dir / "truth"


class Journal:
    """Appends to `<service>.jsonl`; at `max_bytes` that becomes `<service>.old.jsonl` and the one before is dropped."""

    def __init__(self, part: Part, *, state_dir: Path, max_bytes: int, version: str) -> None:
        self._part = part
        self._max_bytes = max_bytes
        folder = folder_in(state_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{part.name}.jsonl"
        self._old = folder / f"{part.name}.old.jsonl"
        self._file = self._open()
        self._size = os.fstat(self._file).st_size
        self._about = {"service": part.name, "group": part.group, "traced": part.traced, "version": version}
        self._write({"did": "started", "at": _now(), "forgot": False, **self._about})

    def produced(
        self, position: Position, *, key: bytes | None, causes: Sequence[Position] = (), letter: Letter | None = None
    ) -> None:
        """This record is in Kafka, as its delivery report said; `causes` are the records it was made from."""
        line: dict[str, Any] = {"did": "produced", "at": _now(), "position": _triple(position), "key": _text(key)}
        if causes:
            line["causes"] = [_triple(cause) for cause in causes]
        if letter is not None:
            line["letter"] = {
                "group": letter.group,
                "exception": letter.failure.java_class,
                "message": str(letter.failure),
            }
        self._write(line)

    def aborted(self, positions: Sequence[Position]) -> None:
        """These records are in Kafka, and nobody who reads committed records will ever get them."""
        self._write({"did": "aborted", "at": _now(), "positions": [_triple(position) for position in positions]})

    def consumed(self, record: Record, outcome: Outcome) -> None:
        """This record was handed to the service and processed, or it failed."""
        line: dict[str, Any] = {
            "did": "consumed",
            "at": _now(),
            "position": _triple(record.position),
            "key": _text(record.key),
            "result": "ok" if outcome.failure is None else "failed",
        }
        if outcome.failure is not None:
            line["exception"] = outcome.failure.java_class
        self._write(line)

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        os.close(self._file)

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if self._size + len(text) > self._max_bytes:
            self._turn_over()
        os.write(self._file, text)
        self._size += len(text)

    def _turn_over(self) -> None:
        forgot = self._old.exists()
        os.close(self._file)
        os.replace(self._path, self._old)
        self._file = self._open()
        first = {"did": "started", "at": _now(), "forgot": forgot, **self._about}
        self._size = os.write(self._file, json.dumps(first, separators=(",", ":")).encode() + b"\n")

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _now() -> float:
    return round(time.time(), 3)


def _triple(position: Position) -> list[Any]:
    return [position.topic, position.partition, position.offset]


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode(errors="backslashreplace")
