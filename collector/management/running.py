"""Runs a step again and again until told to stop: SIGTERM ends it within three seconds, whatever the step waits for."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from collector import telemetry
from collector.management.probes import Probes, serving
from collector.store.connection import is_away

logger = logging.getLogger(__name__)

LIVE_SECONDS = 120.0  # no step takes so long: a scan that waits for a broker gives up before
GRACE_SECONDS = 2.0  # for a step under way
RETRY_SECONDS = 1.0  # after the database was away


@dataclass(frozen=True, slots=True)
class Part:
    """What this process is to whoever watches it. `port`: where it answers probes; 0 for nowhere."""

    name: str
    port: int
    is_ready: Callable[[], bool]


def run(
    step: Callable[[], float | None], *, part: Part, every_seconds: float, at_end: Callable[[], None] | None = None
) -> None:
    """Call `step` in a thread of its own every so often, until SIGTERM or SIGINT. Call it from the main thread.

    The time runs from the start of the step, or from the moment that it returns (monotonic seconds).

    It does not return: the process exits 0. A step that finds the database away is tried again; any other error ends
    the process with that error. A step that does not end in time (a client library waiting for a broker) is left, and
    the database rolls back what it had not committed.
    """
    stop = threading.Event()
    failures: list[BaseException] = []
    pulse = _Pulse()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    def work() -> None:
        try:
            _repeat(step, stop, pulse, every_seconds)
            if at_end is not None:
                _finish(at_end)
        except BaseException as failure:  # noqa: BLE001  # raised again in the main thread
            failures.append(failure)
        finally:
            stop.set()
            connection.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask_to_stop)
    telemetry.start(part.name, send_to=settings.WEIR_TELEMETRY_URL, is_read=bool(part.port))
    bind, token = settings.WEIR_METRICS_BIND, settings.WEIR_METRICS_TOKEN
    with serving(Probes(bind, part.port, token, pulse.is_live, part.is_ready)):
        worker = threading.Thread(target=work, name="work", daemon=True)
        worker.start()
        stop.wait()
        worker.join(GRACE_SECONDS)
    if failures:
        raise failures[0]
    if worker.is_alive():
        logger.warning("stopped in the middle of a step; what it had not stored will be done again")
    logging.shutdown()
    os._exit(0)  # to take apart what is remembered, and the clients of a broker that is away, may take many seconds


def _finish(at_end: Callable[[], None]) -> None:
    try:
        at_end()
    except (DatabaseError, InterfaceError) as problem:
        if not is_away(problem):
            raise
        logger.warning("the database is away at the end: %s", str(problem).strip())


@dataclass(slots=True)
class _Pulse:
    """When the last step began or ended."""

    at: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        self.at = time.monotonic()

    def is_live(self) -> bool:
        """False once a step hangs: a restart would help."""
        return time.monotonic() - self.at < LIVE_SECONDS


def _repeat(step: Callable[[], float | None], stop: threading.Event, pulse: _Pulse, every_seconds: float) -> None:
    while not stop.is_set():
        began = time.monotonic()
        pulse.beat()
        try:
            began = step() or began
        except (DatabaseError, InterfaceError) as problem:
            if not is_away(problem):
                raise
            logger.warning("the database is away, trying again: %s", str(problem).strip())
            connection.close()
            stop.wait(RETRY_SECONDS)
        stop.wait(max(0.0, began + every_seconds - time.monotonic()))
