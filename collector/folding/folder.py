"""The folder's round: fold, sum up, measure, each at its own pace."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import IntegrityError, connection

from collector.folding.fold import MissingLeaves, RollupLeaves, fold, sum_up_days, sum_up_hours, sum_up_minutes
from collector.folding.measure import measure, retry_unpaired
from collector.store import folds
from collector.store.folds import Summaries

MINUTES_EVERY = timedelta(seconds=5)
HOURS_EVERY = timedelta(seconds=60)
DAYS_EVERY = timedelta(minutes=5)  # late spans of long ago cost no more than one sum of their days so often
MEASURE_EVERY = timedelta(seconds=5)  # the histograms of all busy edges are written anew each time
RETRY_EVERY = timedelta(seconds=6)  # some each time, each of them once a minute
MOST_FULL_FOLDS = 20  # before the other work gets its turn


Done = TypeVar("Done")


class Folder:
    """One folder; `step` is one round. The loop and the lock are the command's."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._leaves = RollupLeaves()
        self._summaries = Summaries()
        self._connected: object = None
        self._measures_on = False  # more waits than is measured at once: what is new is folded in between
        self._done_at: dict[str, datetime] = {}
        self.folded_at = 0.0  # monotonic

    def step(self) -> int:
        """Fold what waits, and do what is due; the number of batches folded."""
        self._prepare_connection()
        if folds.is_waiting():
            self._summaries.refresh(self._now())
        n_batches = 0
        for _ in range(MOST_FULL_FOLDS):
            folded = self._with_leaves(lambda: fold(self._leaves, now=self._now()))
            n_batches += folded.n_batches
            if not folded.is_full:
                break
        self.folded_at = time.monotonic()
        self._sum_up()
        if self._is_due("measured", MEASURE_EVERY) or self._measures_on:
            self._measures_on = self._with_leaves(lambda: measure(self._leaves, now=self._now()))
        if self._is_due("unpaired", RETRY_EVERY):
            self._with_leaves(lambda: retry_unpaired(self._leaves, now=self._now()))
        return n_batches

    def _sum_up(self) -> None:
        if self._is_due("minutes", MINUTES_EVERY):
            sum_up_minutes()
        if self._is_due("hours", HOURS_EVERY):
            sum_up_hours()
        if self._is_due("days", DAYS_EVERY):
            sum_up_days(now=self._now())

    def _with_leaves(self, work: Callable[[], Done]) -> Done:
        try:
            return work()
        except MissingLeaves as missing:
            self._leaves.make(missing, now=self._now())
        except IntegrityError:  # "no partition of relation": retention dropped a leaf that we knew
            self._leaves.forget()
        return self._again(work)

    def _again(self, work: Callable[[], Done]) -> Done:
        try:
            return work()
        except MissingLeaves as missing:
            self._leaves.make(missing, now=self._now())
            return work()

    def _is_due(self, what: str, every: timedelta) -> bool:
        now = self._now()
        if what in self._done_at and abs(now - self._done_at[what]) < every:  # a clock may be set back
            return False
        self._done_at[what] = now
        return True

    def _prepare_connection(self) -> None:
        connection.ensure_connection()
        if connection.connection is not self._connected:
            folds.prefer_indexes()
            self._connected = connection.connection
