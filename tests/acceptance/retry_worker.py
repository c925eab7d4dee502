"""One dispatch of a retry operation in a process of its own: `python -m tests.acceptance.retry_worker ID [die]`.

With `die` it is killed between the broker's acknowledgement and its own report of it.
"""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

import django

django.setup()

from collector import clock, wiring  # noqa: E402  after django.setup
from collector.domain.positions import Position  # noqa: E402
from collector.ports import Outgoing, Publisher  # noqa: E402
from collector.retry.dispatch import Sender, dispatch  # noqa: E402


class KilledAfterTheSend:
    """The broker has the record; nobody will ever say so."""

    def __init__(self, real: Publisher) -> None:
        self._real = real

    def publish(self, record: Outgoing) -> Future[Position]:
        self._real.publish(record).result(timeout=20)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    def close(self, *, wait_seconds: float) -> None:
        self._real.close(wait_seconds=wait_seconds)


@contextmanager
def sender(*, dies: bool) -> Iterator[Sender]:
    with wiring.retry_sender() as made:
        yield replace(made, publisher=KilledAfterTheSend(made.publisher)) if dies else made


if __name__ == "__main__":
    dies = "die" in sys.argv[2:]
    dispatch(int(sys.argv[1]), lambda: sender(dies=dies), now=clock.now())
