"""What a command says of itself on Health, at most every five seconds unless it turns good or bad."""

import os
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta

from collector import clock
from collector.store import reports


class PartReport:
    """The row of this process."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._instance = f"{os.getpid()}@{socket.gethostname()}"
        self._said: tuple[datetime, bool] | None = None

    def say(self, sentence: str, *, ok: bool, now: datetime, value: Mapping[str, object] | None = None) -> None:
        """Put `sentence` and numbers (units in their names) on Health."""
        every = timedelta(seconds=reports.EVERY_SECONDS)
        if self._said and self._said[1] == ok and abs(now - self._said[0]) < every:  # a clock may be set back
            return
        reports.report(self._part, instance=self._instance, now=now, ok=ok, sentence=sentence, value=value or {})
        self._said = (now, ok)

    def withdraw(self) -> None:
        """This process ends in order."""
        reports.withdraw(self._part, instance=self._instance, now=clock.now())
