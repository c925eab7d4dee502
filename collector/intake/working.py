"""The thread that takes one input in, again and again, and gets over what goes away for a while."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.db import connection

from collector.intake.taking import Intake
from collector.ports import KafkaRefused, KafkaUnreachable, Partition
from collector.store.connection import StoreAway, reaching
from collector.store.positions import Place

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.1  # also how long small batches are gathered
IDLE_SECONDS = 0.1
COUNT_WAITING_SECONDS = 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
LONGEST_UNREACHABLE_SECONDS = 2.0  # to ask a broker that hangs takes five seconds by itself, and nobody else's


class Ended(Exception):
    """A worker ended by itself; its cause is the error. No error of the database's, which whoever watches gets over."""


def longer(pause: float, error: Exception) -> float:
    """The seconds to wait after the next failure. A broker that is back is to be read again soon; a database that is
    coming up, and a broker that refuses us, are not to be pressed.
    """
    longest = LONGEST_UNREACHABLE_SECONDS if isinstance(error, KafkaUnreachable) else LONGEST_PAUSE_SECONDS
    return min(pause * 2, longest)


@dataclass(frozen=True, slots=True)
class Limits:
    """About how much one batch takes: it must be done within the time a stop may take."""

    records: int
    size_bytes: int


class Worker:
    """One input on one thread. Others tell it what to read (`want`) and ask how it does."""

    def __init__(self, name: str, build: Callable[[], Intake], *, limits: Limits) -> None:
        self.name = name
        self.trouble: str | None = None  # what it waits for, as a sentence
        self.failure: Ended | None = None  # why it ended by itself
        self.n_waiting = 0
        self.hold: str | None = None  # why it must store nothing now, as a sentence
        self._build = build
        self._limits = limits
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._wanted: Mapping[Partition, Place] | None = None
        self._must_rewind = False
        self._counted_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.is_reading = threading.Event()  # set once it was told what to read and does

    def start(self) -> None:
        """Begin; it reads nothing before `want`."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end after the batch under way."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)

    def want(self, places: Mapping[Partition, Place]) -> None:
        """Read exactly these from the next batch on. Say it again every so often: a partition may have been lost."""
        self._wanted = places

    def taken_counts(self) -> Counter[str]:
        """What was saved since the last call: n_spans, n_records, n_repeated, n_undecodable, n_batches."""
        with self._lock:
            found, self._counts = self._counts, Counter()
        return found

    def _run(self) -> None:
        intake: Intake | None = None
        pause = FIRST_PAUSE_SECONDS
        try:
            while not self._stop.is_set():
                try:
                    intake = intake or self._built()
                    self._step(intake)
                    self.trouble, pause = intake.trouble, FIRST_PAUSE_SECONDS
                except (StoreAway, KafkaUnreachable, KafkaRefused) as error:
                    if self.trouble is None:
                        log.warning("%s waits: %s", self.name, error)
                    self.trouble = str(error)
                    self._must_rewind = True
                    self._sit_out(intake, pause)
                    pause = longer(pause, error)
            if intake is not None:
                with suppress(StoreAway):  # it will be read again by who comes next
                    intake.settle()
        except BaseException as failure:  # noqa: BLE001  # raised again by whoever watches this worker
            self.failure = Ended(f"{self.name} ended: {type(failure).__name__}")
            self.failure.__cause__ = failure
        finally:
            if intake is not None:
                intake.close()
            connection.close()

    def _built(self) -> Intake:
        with reaching():  # it reads what names there are
            return self._build()

    def _step(self, intake: Intake) -> None:
        if self.hold:
            raise StoreAway(self.hold)
        if self._must_rewind:
            intake.rewind()
            intake.log.resume()
            self._must_rewind = False
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            try:
                intake.assign(wanted)
            except (StoreAway, KafkaUnreachable, KafkaRefused):
                self._wanted = self._wanted or wanted
                raise
            self.is_reading.set()
        if not intake.n_partitions:
            self._stop.wait(IDLE_SECONDS)
            return
        saved = intake.take_in(limit=self._limits.records, limit_bytes=self._limits.size_bytes, wait=WAIT_SECONDS)
        with self._lock:
            for each in saved:
                self._counts.update(each.counts)
        if time.monotonic() - self._counted_at > COUNT_WAITING_SECONDS:
            self.n_waiting, self._counted_at = intake.n_waiting, time.monotonic()

    def _sit_out(self, intake: Intake | None, seconds: float) -> None:
        """Wait, polling Kafka all the while so that its client stays connected; what it brings is read again later."""
        until = time.monotonic() + seconds
        while not self._stop.is_set() and time.monotonic() < until:
            if intake is None:
                self._stop.wait(IDLE_SECONDS)
                continue
            try:
                intake.log.pause()
                intake.log.take(limit=1, limit_bytes=1, wait=WAIT_SECONDS)
            except (KafkaUnreachable, KafkaRefused) as error:
                self.trouble = str(error)
                self._stop.wait(IDLE_SECONDS)
