"""Where batches are saved: on a thread of its own, so that Postgres works while the next batch is decoded."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Protocol

from django.db import connection

from collector import telemetry
from collector.store.saving import Batch, Saved, Store

CLOSE_SECONDS = 1.0


class Saving(Protocol):
    """Saves one batch after the other."""

    def save(self, batch: Batch, *, now: datetime) -> Future[Saved]:
        """What Store.save gives or raises, when it is done. Not before the one before is done."""

    def close(self) -> None:
        """No more will come."""


@dataclass
class AtOnce:
    """Saves on the thread that asks."""

    store: Store

    def save(self, batch: Batch, *, now: datetime) -> Future[Saved]:
        """See Saving."""
        return _done(lambda: self.store.save(batch, now=now), Future())

    def close(self) -> None:
        """Nothing to let go of."""


class Aside:
    """Saves on a thread of its own, which dies with the process."""

    def __init__(self, store: Store, *, name: str) -> None:
        self._store = store
        self._asked: SimpleQueue[tuple[Callable[[], Saved], Future[Saved]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"save-{name}", daemon=True)
        self._thread.start()

    def save(self, batch: Batch, *, now: datetime) -> Future[Saved]:
        """See Saving."""
        future: Future[Saved] = Future()
        self._asked.put((lambda: self._store.save(batch, now=now), future))
        return future

    def close(self) -> None:
        """End after what was asked for."""
        self._asked.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            with telemetry.span("save batch"):
                _done(*asked)
            del asked  # a batch is large
        connection.close()


def _done(work: Callable[[], Saved], future: Future[Saved]) -> Future[Saved]:
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001  raised again by who asked
        future.set_exception(error)
    return future
