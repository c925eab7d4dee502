"""Shapes of what the API says of Weir itself."""

from typing import Any, Literal

from ninja import Schema


class HealthPart(Schema):
    """One process of Weir."""

    name: str
    instance: str
    state: Literal["ok", "failing", "delayed", "missing"]
    at: str | None
    sentence: str
    numbers: dict[str, Any]


class DiskAnswer(Schema):
    """What the last look at the disk found. `budget_bytes` null: none is set."""

    checked_at: str
    budget_bytes: int | None
    used_bytes: int
    kept_bytes: int
    problem: str


class HealthCluster(Schema):
    """One observed cluster. `silent`: it does not answer; `late`: the sampler does not ask; `new`: not scanned yet."""

    name: str
    state: Literal["ok", "silent", "late", "new"]
    last_ok_at: str | None
    last_failure: str


class HealthAnswer(Schema):
    """Whether Weir keeps up."""

    ok: bool
    sentence: str
    folded_at: str | None
    scanned_at: str | None
    parts: list[HealthPart]
    clusters: list[HealthCluster]
    database_bytes: int
    n_waiting_batches: int
    n_undecodable_hour: int
    n_gaps_day: int
    disk: DiskAnswer | None
