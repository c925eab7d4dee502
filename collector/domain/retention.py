"""When Kafka will delete what a group has not read, if writer and reader keep their pace.

Kafka deletes whole closed segments, so that a record may live longer than these estimates, never shorter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from collector.domain.lag import Pace


@dataclass(frozen=True, slots=True)
class Keeps:
    """What a topic's settings promise: seconds and bytes per partition. None: without such a limit."""

    seconds: float | None
    size_bytes: int | None


def keeps(configs: Mapping[str, str | None]) -> Keeps | None:
    """The limits of a topic; None where the broker did not tell its settings, or what cannot be read as one.

    A topic that is only compacted deletes nothing for being old or large.
    """
    policy, milliseconds, size = (configs.get(name) for name in ("cleanup.policy", "retention.ms", "retention.bytes"))
    if policy is None:
        return None
    if "delete" not in policy.split(","):
        return Keeps(None, None)
    try:
        kept_ms, kept_bytes = int(milliseconds or ""), int(size or "-1")
    except ValueError:
        return None
    return Keeps(None if kept_ms < 0 else kept_ms / 1000, None if kept_bytes < 0 else kept_bytes)


def by_time(age_seconds: float | None, pace: Pace, *, keeps_seconds: float | None) -> float | None:
    """Seconds until the first unread record is too old; infinity for never, None for unknown.

    A reader that does `consumed` of what is `produced` each second falls back by the rest: its oldest unread record
    ages by 1 - consumed / produced seconds a second.
    """
    if keeps_seconds is None:
        return inf
    if age_seconds is None or pace.produced is None or pace.consumed is None:
        return None
    left = max(0.0, keeps_seconds - age_seconds)
    if pace.produced <= 0:
        return left if pace.consumed <= 0 else inf
    ageing = 1 - pace.consumed / pace.produced
    return left / ageing if ageing > 0 else inf


def by_size(unread: int | None, pace: Pace, *, keeps_offsets: float | None) -> float | None:
    """Seconds until more is unread than the partition keeps; infinity for never, None for unknown.

    `keeps_offsets`: about how many offsets fit into the size limit (limit / mean record size). All per partition.
    """
    if keeps_offsets is None:
        return inf
    if unread is None or pace.growth is None:
        return None
    left = max(0.0, keeps_offsets - unread)
    return left / pace.growth if pace.growth > 0 else inf


def sooner(*seconds: float | None) -> float | None:
    """The earliest of several estimates. None when one is unknown and no other says soon: unknown is not never."""
    known = [each for each in seconds if each is not None]
    earliest = min(known, default=inf)
    return earliest if len(known) == len(seconds) or earliest < inf else None
