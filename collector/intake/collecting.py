"""One collector: says that it lives, finds what there is to read, shares it with the others, and reports."""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from collector.intake.sharing import share
from collector.intake.sources import Source
from collector.ports import Partition
from collector.store import members
from collector.store.partitions import Leaves
from collector.store.positions import Place

STEP_SECONDS = 1.0
LEAVES_SECONDS = 60.0
STOP_SECONDS = 1.5
_Places = Mapping[Partition, Place]


class Collector:
    """Housekeeping around the workers of all sources. `step` is called about once a second from one thread."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        now: Callable[[], datetime],
        lack: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`lack`: why nothing more can be stored now, None where there is room (collector.intake.room)."""
        self.workers = tuple(source.worker for source in sources)
        self.me = uuid4()
        self.n_members = 1
        self._sources = sources
        self._now = now
        self._lack = lack
        self._leaves = Leaves()
        self._leaves_at = 0.0
        self._shares: dict[int, tuple[Sequence[UUID], _Places, _Places]] = {}  # who shared what, and what was mine

    def start(self) -> None:
        """Before the first step: rows of dead collectors on this host go, so that their share is free at once."""
        host = socket.gethostname()
        dead = [member for member, its_host, pid in members.live() if its_host == host and not _is_alive(pid)]
        members.leave(dead)
        members.forget_old()
        for source in self._sources:
            source.worker.start()
            source.topics.start()

    def step(self) -> None:
        """One round. Raises what ended a worker."""
        for worker in self.workers:
            if worker.failure is not None:
                raise worker.failure
        if time.monotonic() - self._leaves_at > LEAVES_SECONDS:
            self._leaves.ensure_ahead(self._now())
            self._leaves_at = time.monotonic()
        hold = self._lack()
        for worker in self.workers:
            worker.hold = hold
        members.beat(self.me, host=socket.gethostname(), pid=os.getpid())
        everyone = [member for member, _, _ in members.live()]
        self.n_members = len({*everyone, self.me})
        for source in self._sources:
            places = source.topics.places()
            if places is not None:
                source.worker.want(self._share(source.input_id, everyone, places))

    def _share(self, input_id: int, everyone: Sequence[UUID], places: _Places) -> _Places:
        """Reckoned anew only for others or for other places: of ten thousand it takes a tenth of a second."""
        *of, mine = self._shares.get(input_id, (None, None, {}))
        if of != [everyone, places]:
            mine = share(self.me, everyone, input_id=input_id, places=places)
            self._shares[input_id] = everyone, places, mine
        return mine

    @property
    def trouble(self) -> str | None:
        """What is waited for, as sentences; None when all goes well."""
        said: dict[str, list[str]] = {}
        for source in self._sources:
            if source.trouble:
                said.setdefault(source.trouble, []).append(source.worker.name)
        return " ".join(f"{', '.join(names)}: {sentence}" for sentence, names in said.items()) or None

    @property
    def trouble_of(self) -> list[str]:
        """The clusters that are waited for; "" for the spool."""
        return sorted({source.cluster for source in self._sources if source.trouble})

    @property
    def is_ready(self) -> bool:
        """True once every source that is needed is read, and the broker that was asked for its topics has answered."""
        return all(source.is_read for source in self._sources if source.is_needed)

    def stop(self) -> None:
        """Let the batches under way finish, then free our share at once."""
        for source in self._sources:
            source.worker.stop()
            source.topics.stop()
        until = time.monotonic() + STOP_SECONDS
        for worker in self.workers:
            worker.join(max(0.0, until - time.monotonic()))
        members.leave([self.me])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
