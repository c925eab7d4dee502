"""Which edge a hop belongs to, and what speaks for that edge."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntFlag

EARLY = timedelta(minutes=10)  # how far a sender's clock may run ahead


class Evidence(IntFlag):
    """Why an edge is drawn, and what to doubt about it. The bits are stored in `evidence` columns."""

    TRACED = 1
    OFFSETS = 2
    MEMBERSHIP = 4
    DECLARED = 8
    SKEW = 16  # a consumer seems to start before its producer: two clocks disagree
    CLOCK = 32  # a span whose time is impossible was counted when it was stored
    SAMPLED = 64


@dataclass(frozen=True, slots=True)
class Reader:
    """A member of a group that reads a topic."""

    group_id: int
    client_id: str
    host: str


def explaining_group(readers: Iterable[Reader], *, names: Collection[str]) -> int | None:
    """The group of a service whose deliveries name none: the only one with a member that the service's names fit.

    `names` are the client ids, instance ids and host names the service's telemetry gave. None when no group fits, or
    more than one: a group is never guessed.
    """
    fitting = {reader.group_id for reader in readers if reader.client_id in names or reader.host.lstrip("/") in names}
    return fitting.pop() if len(fitting) == 1 else None
