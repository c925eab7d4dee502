"""Reads a little of a topic: forwards from positions, or back from the ends, all partitions at once and fairly.

Of each partition one stretch is read, whole: what lies between two offsets that are told was all looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from collector.domain import lookups
from collector.domain.lookups import MOST_SECONDS, Budget, Course, Match, Question, Share, Why
from collector.domain.records import Record, size_of
from collector.ports import NotGranted, Partition, Peek, Taken

Sieve = Callable[[Record], Match | None]
WAIT_SECONDS = 0.25  # for records, before the clock is looked at again


@dataclass(slots=True)
class Found:
    """What was found, how far each partition was read, and what was looked at in all.

    `n_read` may be more than in the courses: a stretch that was not read to its end is not told as read, nor what
    lies before matches that are left out. `n_partitions` the topic has; those without a course were left out.
    """

    matches: list[Match] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    n_read: int = 0
    n_read_bytes: int = 0
    n_partitions: int = 0


class NoSuchTopic(Exception):
    """The cluster has no topic of this name (any more), or not this partition of it."""


def read(question: Question, topic: str, peek: Peek, sieve: Sieve, *, clock: Callable[[], float]) -> Found:
    """Answer one question. `clock`: seconds that only go on. May raise KafkaUnreachable, KafkaRefused, NoSuchTopic."""
    numbers = peek.partitions(topic)
    if not numbers:
        raise NoSuchTopic(f"The cluster has no topic {topic} any more.")
    wanted = lookups.chosen(question, numbers)
    if not wanted:
        raise NoSuchTopic(f"The topic {topic} has no such partition: they are 0 to {numbers[-1]:,}.")
    ends = peek.ends(topic, wanted)
    since = peek.since(topic, list(ends), question.at) if question.at is not None else None
    courses = lookups.courses(question, ends, since)
    reading = _Reading(topic, peek, sieve, clock, until=clock() + MOST_SECONDS, most=question.most)
    if question.way == "newest":
        found = reading.back(courses, is_filtered=bool(question.words))
    else:
        found = reading.forward(courses)
    found.sort(key=_by_time, reverse=question.way == "newest")
    return Found(found, courses, reading.budget.n_read, reading.budget.n_read_bytes, len(numbers))


def _by_time(match: Match) -> tuple[float, int, int]:
    record = match.record
    return record.produced_at.timestamp() if record.produced_at else -inf, record.partition, record.offset


class _Reading:
    """What one question uses up."""

    def __init__(
        self, topic: str, peek: Peek, sieve: Sieve, clock: Callable[[], float], *, until: float, most: int
    ) -> None:
        self._topic = topic
        self._peek = peek
        self._sieve = sieve
        self._clock = clock
        self._until = until
        self._most = most
        self.budget = Budget(n_matches=most)

    def forward(self, courses: Sequence[Course]) -> list[Match]:
        """Round after round: each partition its share of what is left, until all is read or used up."""
        found: list[Match] = []
        for course in courses:
            course.why = Why.END if course.end >= course.high else None
        while open_ones := [course for course in courses if course.why is None]:
            if why := self._over():
                _stop(open_ones, why)
                break
            share = self.budget.share(len(open_ones))
            rounds = {each.number: _Round(each.end, each.high, replace(share)) for each in open_ones}
            self._read(rounds)
            for course in open_ones:
                found += _advance(course, rounds[course.number])
        return found

    def back(self, courses: Sequence[Course], *, is_filtered: bool) -> list[Match]:
        """Stretch before stretch, longer ones each time; a stretch that was not read to its end does not count.

        One that was too long is tried again shorter.
        """
        found: dict[int, list[Match]] = {course.number: [] for course in courses}  # newest first
        sizes: dict[int, list[tuple[int, int]]] = {number: [] for number in found}
        lengths, too_long = dict.fromkeys(found, 0), set[int]()
        for course in courses:
            course.why = Why.BEGINNING if course.begin <= course.low else None
        while open_ones := [course for course in courses if course.why is None]:
            if why := self._over():
                _stop(open_ones, why)
                break
            for each in open_ones:
                lengths[each.number] = lookups.stretch_back(
                    each,
                    self.budget,
                    len(open_ones),
                    before=lengths[each.number],
                    was_too_long=each.number in too_long,
                    is_filtered=is_filtered,
                )
            rounds = {each.number: self._stretch(each, lengths[each.number], len(open_ones)) for each in open_ones}
            self._read(rounds)
            too_long = {number for number, each in rounds.items() if each.has_its_share}
            for course in open_ones:
                done = rounds[course.number]
                if done.reached < done.to:  # it will be read again, and none of it is told now
                    self.budget.n_matches += len(done.matches)
                else:
                    sizes[course.number] += done.sizes
                found[course.number] += _go_back(course, done)
        return _newest(courses, found, sizes, self._most)

    def _stretch(self, course: Course, length: int, n: int) -> "_Round":
        start = max(course.low, course.begin - length)
        return _Round(start, course.begin, self.budget.half(n, course.begin - start), is_back=True)

    def _over(self) -> Why | None:
        return self.budget.over or (Why.TIME if self._clock() >= self._until else None)

    def _read(self, rounds: Mapping[int, "_Round"]) -> None:
        """Read each until it is done. Raises NotGranted where the topic may not be read."""
        self._peek.begin(self._topic, {number: each.start for number, each in rounds.items()})
        waiting = set(rounds)
        while waiting and (left := self._until - self._clock()) > 0:
            self._take_in(self._peek.take(min(WAIT_SECONDS, left)), rounds)
            if why := self._used_up(rounds):
                _stop([each for each in rounds.values() if not each.is_done], why)
            if done := {number for number in waiting if rounds[number].is_done}:
                waiting -= done
                self._peek.leave(done)
        _stop([rounds[number] for number in waiting], Why.TIME)

    def _take_in(self, taken: Taken, rounds: Mapping[int, "_Round"]) -> None:
        if taken.refused:
            raise NotGranted(self._topic)
        for record in taken.records:
            if self._clock() >= self._until:
                _stop([each for each in rounds.values() if not each.is_done], Why.TIME)
                return
            if (into := rounds.get(record.partition)) is not None:
                self._look_at(record, into)
        for number, each in rounds.items():
            place = Partition(self._topic, number)
            if place in taken.ends:
                each.reach(taken.ends[place])
            if place in taken.lost and not each.is_done:
                each.why = Why.GONE

    def _used_up(self, rounds: Mapping[int, "_Round"]) -> Why | None:
        """What keeps all from going on; back from the ends more matches are read than are told."""
        why = self.budget.over
        return None if why is Why.MATCHES and any(each.is_back for each in rounds.values()) else why

    def _look_at(self, record: Record, into: "_Round") -> None:
        if into.is_done:
            return
        if record.offset >= into.to:
            into.reach(into.to)
            return
        size = size_of(record)
        if self.budget.n_matches <= 0 and not into.is_back:
            into.why = Why.MATCHES
        elif not self.budget.takes(size):
            into.why = Why.BYTES
        elif not into.share.takes(size):
            into.has_its_share = True
        else:
            self._take(record, size, into)

    def _take(self, record: Record, size: int, into: "_Round") -> None:
        match = self._sieve(record)
        self.budget.spend(size)
        into.share.spend(size, is_match=match is not None)
        if match is not None:
            self.budget.n_matches -= 1
            into.matches.append(match)
        into.sizes.append((record.offset, size))
        into.reached = record.offset + 1


@dataclass(slots=True)
class _Round:
    """One stretch of one partition: from `start` to `to`, and how far it is read, within its share.

    `is_back`: it counts only if it is read whole, however many matches are in it.
    `sizes`: offset and bytes of each record that was looked at.
    """

    start: int
    to: int
    share: Share
    is_back: bool = False
    reached: int = -1
    sizes: list[tuple[int, int]] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    why: Why | None = None
    has_its_share: bool = False

    def __post_init__(self) -> None:
        self.reached = self.start

    def reach(self, end: int) -> None:
        """Nothing more lies before this offset."""
        if not self.is_done:
            self.reached = max(self.reached, min(end, self.to))

    @property
    def is_done(self) -> bool:
        return self.reached >= self.to or self.why is not None or self.has_its_share


def _advance(course: Course, done: _Round) -> list[Match]:
    """Forwards, what was read of a round counts in any case."""
    course.end = max(course.end, done.reached)
    course.why = done.why or (Why.END if course.end >= course.high else None)
    return _count(course, done)


def _go_back(course: Course, done: _Round) -> list[Match]:
    """Backwards only a round that was read to its end: else a hole would be behind it. The newest first."""
    if done.reached < done.to:
        course.why = done.why or (None if done.has_its_share else Why.TIME)
        return []
    course.begin = done.start
    course.why = Why.BEGINNING if course.begin <= course.low else None
    return _count(course, done)[::-1]


def _count(course: Course, done: _Round) -> list[Match]:
    course.n_records += len(done.sizes)
    course.n_bytes += sum(size for _, size in done.sizes)
    course.n_matches += len(done.matches)
    return done.matches


def _stop(those: Iterable["Course | _Round"], why: Why) -> None:
    for each in those:
        each.why = why


def _newest(
    courses: Sequence[Course],
    found: Mapping[int, Sequence[Match]],
    sizes: Mapping[int, Sequence[tuple[int, int]]],
    most: int,
) -> list[Match]:
    """As many as may be told, each partition's newest; what had to be left out is not told as read."""
    kept = lookups.fairly(found, most)
    for course in courses:
        matches = found[course.number]
        if kept[course.number] < len(matches):
            course.begin = matches[kept[course.number]].record.offset + 1
            course.n_matches, course.why = kept[course.number], Why.MATCHES
            told = [size for offset, size in sizes[course.number] if offset >= course.begin]
            course.n_records, course.n_bytes = len(told), sum(told)
    return [match for number, matches in found.items() for match in matches[: kept[number]]]
