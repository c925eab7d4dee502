"""What a service of the shop is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class NotSet(ValueError):
    """The environment lacks a setting, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Parsed once, at the start of a process."""

    bootstrap: str
    state_dir: Path
    orders_per_second: float
    seed: int
    ready_file: Path | None
    truth_bytes: int


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises NotSet, naming the variable, when one is missing or not a number."""
    orders_per_second = _number(environ, "RATE", "30")
    if not 0 < orders_per_second <= 5_000:
        raise NotSet(f"RATE is {orders_per_second}: give orders a second, above 0 and at most 5,000")
    ready = environ.get("WEIR_READY_FILE")
    return Settings(
        bootstrap=_text(environ, "DEMO_KAFKA_BOOTSTRAP"),
        state_dir=state_dir(environ),
        orders_per_second=orders_per_second,
        seed=int(_number(environ, "SEED", "1")),
        ready_file=Path(ready) if ready else None,
        truth_bytes=int(_number(environ, "DEMO_TRUTH_MB", "32") * 1_000_000),
    )


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the shop's state and truth logs. Raises NotSet."""
    return Path(_text(environ, "DEMO_STATE_DIR"))


def _text(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name)
    if not text:
        raise NotSet(f"{name} is not set")
    return text


def _number(environ: Mapping[str, str], name: str, default: str) -> float:
    text = environ.get(name) or default
    try:
        return float(text)
    except ValueError as error:
        raise NotSet(f"{name} is {text!r}: give a number") from error
