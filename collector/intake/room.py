"""Whether there is room to store more. A full disk stops the whole server, so the intake pauses before: Kafka holds on.

Two words count: the disk that the database lies on, where it is this machine's, and the last check of the disk budget.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from collector.store import budget

SHARE = 10  # one part in ten of the disk stays free,
MOST_FREE_BYTES = 10 * 1024**3  # or so much where that is less
AGAIN = 1.1  # so much of it must be free before the intake goes on
MOST_OVER_BUDGET = 1.25  # what is still written may go so far beyond the budget


@dataclass
class Room:
    """`folder`: on the disk of the database; None where that is another machine's."""

    folder: Path | None
    _is_short: bool = False

    def lack(self) -> str | None:
        """Why nothing more is stored now, as a sentence; None where there is room. At most one statement."""
        return self._of_disk() or self._of_budget()

    def _of_disk(self) -> str | None:
        if self.folder is None:
            return None
        try:
            disk = shutil.disk_usage(self.folder)
        except OSError:
            return None  # a folder that is gone says nothing of the disk
        wanted = min(disk.total // SHARE, MOST_FREE_BYTES) * (AGAIN if self._is_short else 1.0)
        self._is_short = disk.free < wanted
        if not self._is_short:
            return None
        return (
            f"The disk of {self.folder} has {disk.free / 1e9:.1f} GB left, the intake pauses below {wanted / 1e9:.1f}."
            " Make room; what comes in waits in Kafka."
        )

    def _of_budget(self) -> str | None:
        found = budget.last_check()
        if found is None or not found.problem or not found.budget_bytes:
            return None
        if found.used_bytes <= found.budget_bytes * MOST_OVER_BUDGET:
            return None
        return f"{found.problem} Until then the intake pauses; what comes in waits in Kafka."
