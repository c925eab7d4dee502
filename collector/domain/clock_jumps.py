"""Whether the wall clock may be believed when it says that data is old: one jump must not empty the store."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_PAUSE = timedelta(days=1)  # between two looks at the clock: more is a jump, or Weir did not run
WAIT = timedelta(days=1)  # until a clock that jumped is believed: time for somebody to see it and to set it right
LATEST_DATA = timedelta(days=1)  # how far behind the clock all that comes in may be


@dataclass(frozen=True, slots=True)
class Watch:
    """The last look at the clock, and since when it is doubted."""

    looked_at: datetime
    doubted_since: datetime | None = None
    jump: timedelta = timedelta()


def watched(before: Watch | None, *, now: datetime) -> Watch:
    """The watch after one more look. A clock that goes back to where it was is no longer doubted."""
    if before is None:
        return Watch(now)
    moved = now - before.looked_at
    if moved > LONGEST_PAUSE:
        return Watch(now, now, moved)
    if before.doubted_since is None or not before.doubted_since <= now < before.doubted_since + WAIT:
        return Watch(now)
    return Watch(now, before.doubted_since, before.jump)


def doubt(watch: Watch, *, newest: datetime | None) -> str:
    """Why nothing may be dropped for its age now, as a sentence; "" where there is no doubt.

    `newest`: the newest time that data which came in during the last minutes says of itself; None where none came in.
    """
    if watch.doubted_since is not None:
        days, until = watch.jump / timedelta(days=1), watch.doubted_since + WAIT
        return (
            f"The clock of Weir's worker moved by {days:.1f} days between two looks. In case it is wrong, nothing is"
            f" dropped for its age until {until:%Y-%m-%d %H:%M} UTC by that clock. Set it right, or just wait."
        )
    if newest is not None and watch.looked_at - newest > LATEST_DATA:
        return (
            f"What comes in now says it is of {newest:%Y-%m-%d %H:%M} UTC at the latest, by Weir's clock it is"
            f" {watch.looked_at:%Y-%m-%d %H:%M}. Nothing is dropped for its age while they differ by more than a day."
        )
    return ""
