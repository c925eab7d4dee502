"""One dispatch of a retry operation in a process of its own: `python -m tests.acceptance.retry_worker ID [HOW]`.

`die`: it is killed between the broker's acknowledgement and its own report of it. `freeze PID PORT`: after its first
record it stops the broker of that process, sends the second into the broker's socket, and is killed. `patient`: it
searches as carefully as in production, which the other tests do not wait for.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import django

django.setup()

from collector import clock, wiring  # noqa: E402  after django.setup
from collector.domain.positions import Position  # noqa: E402
from collector.ports import Outgoing, Publisher  # noqa: E402
from collector.retry.dispatch import Sender, dispatch  # noqa: E402

HURRIED_SECONDS = 0.1
ESTABLISHED = "01"


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


class KilledBesideAFrozenBroker:
    """The second record is in the socket of a broker that stands still, and its sender is gone."""

    def __init__(self, real: Publisher, pid: int, port: int) -> None:
        self._real, self._pid, self._port = real, pid, port
        self._n = 0

    def publish(self, record: Outgoing) -> Future[Position]:
        self._n += 1
        if self._n == 1:
            first = self._real.publish(record)
            first.result(timeout=20)
            return first
        os.kill(self._pid, signal.SIGSTOP)
        self._real.publish(record)
        while self._unread_bytes() < len(record.value or b""):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    def close(self, *, wait_seconds: float) -> None:
        self._real.close(wait_seconds=wait_seconds)

    def _unread_bytes(self) -> int:
        """The most that waits in one of the broker's sockets (proc(5): net/tcp)."""
        tables = [Path("/proc/net") / name for name in ("tcp", "tcp6")]
        lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
        ours = [line for line in lines if int(line[1].split(":")[1], 16) == self._port and line[3] == ESTABLISHED]
        return max((int(line[4].split(":")[1], 16) for line in ours), default=0)


@contextmanager
def sender(cluster: str, how: list[str]) -> Iterator[Sender]:
    with wiring.retry_sender(cluster) as made:
        if how[:1] == ["patient"]:
            yield made
            return
        hurried = replace(made, quiet_seconds=HURRIED_SECONDS)
        if how[:1] == ["die"]:
            yield replace(hurried, publisher=KilledAfterTheSend(made.publisher))
        elif how[:1] == ["freeze"]:
            yield replace(hurried, publisher=KilledBesideAFrozenBroker(made.publisher, int(how[1]), int(how[2])))
        else:
            yield hurried


if __name__ == "__main__":
    dispatch(int(sys.argv[1]), lambda cluster: sender(cluster, sys.argv[2:]), now=clock.now())
