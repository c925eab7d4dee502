"""What the log says of something that is away: at once, then once a minute with a count, and once when it is back."""

import logging
import threading
import time
from collections.abc import Callable

EVERY_SECONDS = 60.0
SETTLED_SECONDS = 5.0  # without a failure: of several brokers one may answer while another does not


class Outage:
    """Stands between a logger and what would say the same several times a second. Any thread may use it.

    It takes the place of a logger for librdkafka, which calls `log` and nothing else.
    """

    def __init__(self, logger: logging.Logger, what: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`what` is away, as it begins a sentence."""
        self._logger = logger
        self._what = what
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told_at: float | None = None
        self._n_untold = 0
        self._failing: tuple[float, float] | None = None  # since when, and when last

    def log(self, level: int, message: str, *args: object) -> None:
        """Say this, unless something was said less than a minute ago: then it is counted. What is not said anyway, as
        by its level, is no reason to leave out anything.
        """
        if not self._logger.isEnabledFor(level):
            return
        with self._lock:
            now = self._monotonic()
            if self._told_at is not None and now - self._told_at < EVERY_SECONDS:
                self._n_untold += 1
                return
            n_untold, self._n_untold, self._told_at = self._n_untold, 0, now
        if n_untold:
            message, args = f"{message} (and %d more like it since the last)", (*args, n_untold)
        self._logger.log(level, message, *args)

    def failed(self) -> None:
        """Something that was asked of it was not answered."""
        with self._lock:
            now = self._monotonic()
            self._failing = (self._failing[0] if self._failing else now), now

    def answered(self) -> None:
        """It did what it was asked for. Costs nothing while all goes well."""
        if self._failing is None:
            return
        with self._lock:
            now = self._monotonic()
            if self._failing is None or now - self._failing[1] < SETTLED_SECONDS:
                return
            seconds, n_untold = now - self._failing[0], self._n_untold
            self._told_at, self._n_untold, self._failing = None, 0, None
        self._logger.info(
            "%s answers again, %.0f s after it first did not; %d lines were left out", self._what, seconds, n_untold
        )
