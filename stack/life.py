"""The life of one part under the supervisor."""

import enum
import subprocess
from dataclasses import dataclass

from stack.logs import Follower
from stack.part import Part

LONGEST_PAUSE_SECONDS = 30.0


class State(enum.Enum):
    """Where a part is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    ENDING = "being ended"
    DONE = "done"
    RESTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


def pause_seconds(failures: int) -> float:
    """How long to wait before a part is started again after this many deaths in a row: 0.5 s, doubled, at most 30."""
    return float(min(LONGEST_PAUSE_SECONDS, 0.5 * 2 ** min(failures - 1, 10)))


@dataclass
class Life:
    """A part and what became of it."""

    part: Part
    follower: Follower
    state: State = State.WAITING
    process: subprocess.Popen[bytes] | None = None
    created_at: float = 0.0
    spawned_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    was_ready: bool = False

    @property
    def pid(self) -> int | None:
        """The number of the living child."""
        return self.process.pid if self.process and self.process.returncode is None else None
