"""The truth logs read back: records that services sent, and deliveries to them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.journal import folder_in
from demo.records import Position


@dataclass(frozen=True, slots=True)
class Produced:
    """A record that a service sent and Kafka has."""

    service: str
    position: Position
    key: str | None
    at: float
    causes: tuple[Position, ...]
    letter: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record that was handed to a service and processed, or failed: then `exception` is the failure's class."""

    service: str
    group: str
    traced: bool
    position: Position
    at: float
    exception: str | None


@dataclass(frozen=True, slots=True)
class Aborted:
    """Records of a transaction that was taken back."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A service has run for so long that its oldest log was dropped."""

    service: str


def read(state_dir: Path) -> Iterator[Produced | Delivery | Aborted | Forgotten]:
    """Everything in the logs of all services. Raises FileNotFoundError where there are none."""
    paths = sorted(folder_in(state_dir).glob("*.jsonl"))
    if not paths:
        raise FileNotFoundError(f"no truth logs in {folder_in(state_dir)}")
    for path in paths:
        yield from _read(path)


def _read(path: Path) -> Iterator[Produced | Delivery | Aborted | Forgotten]:
    about: dict[str, Any] = {}
    with path.open() as file:
        for text in file:
            line = json.loads(text)
            match line["did"]:
                case "started":
                    about = line
                    if line["forgot"]:
                        yield Forgotten(line["service"])
                case "produced":
                    yield _produced(line, about)
                case "aborted":
                    yield Aborted(tuple(Position(*triple) for triple in line["positions"]))
                case "consumed":
                    yield _delivery(line, about)


def _produced(line: dict[str, Any], about: dict[str, Any]) -> Produced:
    causes = tuple(Position(*cause) for cause in line.get("causes", ()))
    return Produced(about["service"], Position(*line["position"]), line["key"], line["at"], causes, line.get("letter"))


def _delivery(line: dict[str, Any], about: dict[str, Any]) -> Delivery:
    return Delivery(
        service=about["service"],
        group=about["group"],
        traced=about["traced"],
        position=Position(*line["position"]),
        at=line["at"],
        exception=line.get("exception"),
    )
