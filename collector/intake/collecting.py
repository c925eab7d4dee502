"""One collector: says that it lives, finds what there is to read, shares it with the others, and reports."""

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from collector.intake.sharing import share
from collector.intake.taps import TapRules, matches
from collector.intake.working import Worker
from collector.ports import KafkaRefused, KafkaUnreachable, Log, Partition
from collector.store import members
from collector.store.feeds import Feed, feeds
from collector.store.partitions import Leaves
from collector.store.positions import Place

STEP_SECONDS = 1.0
LEAVES_SECONDS = 60.0
STOP_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Inputs:
    """Ids of what this collector takes in."""

    cluster_id: int
    spool_id: int
    taps_id: int


class Collector:
    """Housekeeping around two workers. `step` is called about once a second from one thread."""

    def __init__(
        self,
        *,
        inputs: Inputs,
        spool: Worker,
        taps: Worker,
        spool_log: Log,
        spool_topic: str,
        rules: TapRules,
        know: Callable[[Iterable[Feed]], None],
        now: Callable[[], datetime],
    ) -> None:
        self.workers = (spool, taps)
        self.me = uuid4()
        self.n_members = 1
        self._inputs = inputs
        self._spool, self._taps = spool, taps
        self._spool_log = spool_log
        self._spool_topic = spool_topic
        self._rules = rules
        self._know = know
        self._now = now
        self._leaves = Leaves()
        self._leaves_at = 0.0
        self._spool_places: Mapping[Partition, Place] = {}
        self._spool_trouble: str | None = None

    def start(self) -> None:
        """Before the first step: rows of dead collectors on this host go, so that their share is free at once."""
        host = socket.gethostname()
        dead = [member for member, its_host, pid in members.live() if its_host == host and not _is_alive(pid)]
        members.leave(dead)
        members.forget_old()
        for worker in self.workers:
            worker.start()

    def step(self) -> None:
        """One round. Raises what ended a worker."""
        for worker in self.workers:
            if worker.failure is not None:
                raise worker.failure
        if time.monotonic() - self._leaves_at > LEAVES_SECONDS:
            self._leaves.ensure_ahead(self._now())
            self._leaves_at = time.monotonic()
        members.beat(self.me, host=socket.gethostname(), pid=os.getpid())
        everyone = [member for member, _, _ in members.live()]
        self.n_members = len({*everyone, self.me})
        self._find_spool()
        self._spool.want(self._mine(everyone, self._inputs.spool_id, self._spool_places))
        found = [feed for feed in feeds(self._inputs.cluster_id) if matches(feed.name, self._rules.topics)]
        self._know(found)
        self._taps.want(self._mine(everyone, self._inputs.taps_id, _places(found)))

    @property
    def trouble(self) -> str | None:
        """What is waited for, as a sentence; None when all goes well."""
        found = [self._spool_trouble, *(f"{each.name}: {each.trouble}" for each in self.workers if each.trouble)]
        return next(filter(None, found), None)

    @property
    def is_ready(self) -> bool:
        """True once both inputs are being read, and the spool's broker has answered."""
        return self._spool_trouble is None and all(worker.is_reading.is_set() for worker in self.workers)

    def stop(self) -> None:
        """Let the batches under way finish, then free our share at once."""
        for worker in self.workers:
            worker.stop()
        until = time.monotonic() + STOP_SECONDS
        for worker in self.workers:
            worker.join(max(0.0, until - time.monotonic()))
        members.leave([self.me])

    def _mine(self, everyone: list[UUID], input_id: int, places: Mapping[Partition, Place]) -> dict[Partition, Place]:
        return share(self.me, everyone, input_id=input_id, places=places)

    def _find_spool(self) -> None:
        try:
            identity = self._spool_log.identities([self._spool_topic]).get(self._spool_topic)
        except (KafkaUnreachable, KafkaRefused) as error:
            self._spool_trouble = str(error)  # what was found before is still read
            return
        self._spool_trouble = None
        numbers = range(identity.n_partitions) if identity else ()
        self._spool_places = {
            Partition(self._spool_topic, number): Place(identity.kafka_id, number) for number in numbers if identity
        }


def _places(found: Iterable[Feed]) -> dict[Partition, Place]:
    return {
        Partition(feed.name, number): Place(feed.kafka_id, number)
        for feed in found
        for number in range(feed.n_partitions)
    }


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
