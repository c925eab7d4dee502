"""One scan after another: ask the broker, compare with what is known, store what changed in one transaction."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection, transaction

from collector.changes import announce
from collector.config.readers import GroupOf
from collector.domain.lag import FirstUnread
from collector.ports import BrokerMetadata, FirstRecords, KafkaRefused, KafkaUnreachable, Partition
from collector.sampling import falls, names, points, sums
from collector.sampling import memory as memories
from collector.sampling.memory import FirstKey, Looked, Memory
from collector.sampling.recalling import recall
from collector.sampling.scan import Fall, Fast, Slow, fast_scan, slow_scan
from collector.store import sample_sums, samples
from collector.store.broker_names import SameCluster
from collector.store.partitions import Leaves

SLOW_SECONDS = 60
MOST_LOOKS = 50  # positions a scan at which a record is read
STEP_SECONDS = 0.5  # by which wall and monotonic clock must part between two scans to say that the clock was set
CLOCKS_SECONDS = 60  # by which the clock of who wrote a record may be wrong
OWN_GROUP = "weir-collector"
# It runs on while the machine sleeps, when no clock is set.
_RUNS_ON: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def since_boot() -> float:
    """Seconds that nobody sets."""
    return time.clock_gettime(_RUNS_ON)


class Sampler:
    """The sampler of one cluster. `tick` is one scan; the loop and the lock are the command's."""

    def __init__(
        self,
        broker: BrokerMetadata,
        *,
        records: FirstRecords,
        cluster_id: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = since_boot,
        holds_letters: Callable[[str], bool] = lambda _topic: False,
        group_of: GroupOf = lambda _service, _topic: None,
    ) -> None:
        self._broker = broker
        self._records = records
        self._cluster_id = cluster_id
        self._now = now
        self._monotonic = monotonic
        self._holds_letters = holds_letters
        self._group_of = group_of
        self._clocks: tuple[float, float] | None = None  # wall and monotonic time of the last scan
        self._memory: Memory | None = None
        self._leaves = Leaves()
        self._falls: list[Fall] = []

    def tick(self) -> str | None:
        """Scan once and store it. Returns why nothing was seen, or None when it was.

        A scan that saw nothing is a row, too. Raises what the database raises; what was not stored is then compared
        again with what is in the tables, at the next tick.
        """
        started, clock = self._now(), self._monotonic()
        known = self._memory or self._loaded(started)
        self._memory = None  # until this scan is stored
        self._keep_time(known, started.timestamp(), clock)
        try:
            fast, slow = self._look(known)
        except (KafkaUnreachable, KafkaRefused) as failure:
            self._broker.close()
            self._records.close()
            reason = str(failure)
            self._store_failure(known, started, clock, reason)
            return reason
        try:
            self._store(known, fast, slow, clock)
        except SameCluster as same:
            self._store_failure(known, started, clock, str(same))
            self._memory = None  # it has taken in what was not stored
            return str(same)
        self._memory, self._falls = known, known.falls
        return None

    def _loaded(self, at: datetime) -> Memory:
        known = memories.loaded(self._cluster_id, now=at)
        recall(known, now=at)
        known.falls = self._falls  # no table has them
        return known

    def forget(self) -> None:
        """Somebody else sampled meanwhile: read the tables again before the next scan."""
        self._memory = None

    def _keep_time(self, known: Memory, wall: float, monotonic: float) -> None:
        """When the wall clock was set since the last scan, move what is remembered along."""
        if self._clocks is not None:
            step = (wall - self._clocks[0]) - (monotonic - self._clocks[1])
            if abs(step) > STEP_SECONDS:
                known.shift(step)
        self._clocks = (wall, monotonic)

    def _look(self, known: Memory) -> tuple[Fast, Slow]:
        fast = fast_scan(
            self._broker,
            has_ends=lambda topic: not (names.is_internal(topic) or known.is_internal(topic)),
            is_shown_group=lambda group: group != OWN_GROUP,
            now=self._now,
        )
        due = known.slow_at is None or abs(fast.at - known.slow_at) >= timedelta(seconds=SLOW_SECONDS)
        new = names.unknown_topics(known, fast) - (set() if due else known.untold)
        changed = names.changed_groups(known, fast)
        fallen = falls.found(known, fast)
        topics = set(fast.overview.leaders) if due else new | fallen.keys() | falls.waiting(known)
        slow = slow_scan(
            self._broker,
            topics=topics,
            configs_of={topic for topic in topics if due or topic in new},
            groups={group.name for group in fast.groups if due or group.name in changed}
            | names.missed_groups(known, fast),
            hidden=due or bool(new) or bool(changed),
            is_complete=due,
        )
        self._read_firsts(known, fast)
        return replace(fast, older=self._older(known, fast), fallen=fallen), slow

    def _older(self, known: Memory, fast: Fast) -> frozenset[str]:
        """Topics that we see now and that held records before: somebody let us see them. Their records are not new.

        Nobody tells when a topic was made: a record of it may, and that it lost some. Taken as old are those beyond 50,
        those whose id was not told for several scans, and those whose record nobody lets us see or says the time of.
        """
        if known.scanned_at is None:
            return frozenset()
        asked: dict[Partition, int] = {}
        found = set()
        for name in points.unseen(known, fast):
            low, high = fast.ends[name].low, fast.ends[name].high
            number = next((each for each, end in enumerate(high) if end), None)
            if any(low) or name in known.untold or (number is not None and len(asked) == MOST_LOOKS):
                found.add(name)
            elif number is not None:
                asked[Partition(name, number)] = 0
        before = known.scanned_at.timestamp() - CLOCKS_SECONDS
        looked = self._records.first_unread(asked) if asked else {}
        for place in asked:
            first = looked.get(place)
            if first is None or first.written_at is None or first.written_at < before:
                found.add(place.topic)
        return frozenset(found)

    def _read_firsts(self, known: Memory, fast: Fast) -> None:
        """Look at what the last scan wanted: at most 50 positions, one a partition, longest unseen first."""
        chosen: dict[Partition, FirstKey] = {}
        for key in sorted(known.wanted, key=lambda key: looked.at if (looked := known.firsts.get(key)) else 0.0):
            chosen.setdefault(Partition(known.wanted[key], key[1]), key)
            if len(chosen) == MOST_LOOKS:
                break
        if not chosen:
            return
        found = self._records.first_unread({place: key[2] for place, key in chosen.items()})
        for place, key in chosen.items():
            marks, first = fast.ends.get(place.topic), found.get(place)
            high = marks.high[place.number] if marks and place.number < len(marks.high) else None
            if first is None or high is None:
                known.firsts[key] = Looked.unanswered(fast.now)
            elif first.offset is not None:  # of a record only its time is wanted: there may be ten thousands
                known.firsts[key] = Looked(fast.now, high, FirstUnread(key[2], first.written_at, key[2]))
            else:
                known.firsts[key] = Looked(fast.now, high, first)

    def _store(self, known: Memory, fast: Fast, slow: Slow, clock: float) -> None:
        over = sums.closing(known, fast.at)
        for table in sample_sums.TABLES:
            for at in (over or fast.at, fast.at):  # what goes away in this scan is summed up at once
                self._leaves.ensure(table, at)
        with transaction.atomic(), connection.cursor() as cursor:
            if over:
                sums.close(cursor, known, over)
            renamed = names.store(cursor, known, fast, slow, holds_letters=self._holds_letters)
            falls.store(cursor, known, fast, told=slow.topics)
            points.store_topics(cursor, known, fast)
            points.store_groups(cursor, known, fast)
            renamed |= names.store_hints(cursor, known, self._group_of, fast.at)
            samples.add_scan(
                cursor,
                cluster_id=known.cluster_id,
                at=fast.at,
                n_topics=len(fast.overview.leaders),
                n_groups=len(fast.groups),
                wall_ms=round((self._monotonic() - clock) * 1000),
            )
            announce("samples")
            if renamed:
                announce("names")
        known.scanned_at = fast.at
        if slow.is_complete:
            known.slow_at = fast.at

    def _store_failure(self, known: Memory, at: datetime, clock: float, reason: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            samples.add_scan(
                cursor,
                cluster_id=known.cluster_id,
                at=at,
                n_topics=0,
                n_groups=0,
                wall_ms=round((self._monotonic() - clock) * 1000),
                failed=reason,
            )
            announce("samples")
        self._memory = known
