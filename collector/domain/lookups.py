"""A look into a topic: what is asked, what is a match, and how little may be read for it, fairly over partitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from collector.domain.records import Headers, Record

MOST_BYTES = 1_000_000  # of keys, values and headers; a record that is larger alone is looked at alone
MOST_SECONDS = 5.0
MOST_MATCHES = 100
MOST_PARTITIONS = 200  # at once: beyond, a share is too small to be worth a question
MOST_WORDS = 200  # characters that are looked for
KEPT_VALUE = 64_000  # bytes of a value that is larger than all that may be read
_SURE = 0.4  # of what is left is planned for, where sizes are only expected; a stretch gets half of it
_FASTER = 8  # times more offsets than in the stretch before, at most
_SHORTER = 4  # times fewer offsets where a stretch was too long

Way = Literal["newest", "forward"]
Within = Literal["any", "key", "value", "headers"]


class Why(StrEnum):
    """Why the reading of a partition ended."""

    END = "end"
    BEGINNING = "beginning"
    MATCHES = "matches"
    BYTES = "bytes"
    TIME = "time"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `newest`: back from the end, or from before `positions`; `forward`: from `at`, from `positions`,
    or else from the oldest that is kept.

    `positions`, where there are any, name all partitions that are read; `partition` names the only one. `words` are
    looked for as they are written there. `most`: records that are told, a hundred at most.
    """

    way: Way = "newest"
    at: datetime | None = None
    positions: Mapping[int, int] = field(default_factory=dict)
    partition: int | None = None
    words: str = ""
    within: Within = "any"
    most: int = MOST_MATCHES

    def fits(self, key: bytes | None, value: bytes | None, headers: Headers) -> bool:
        """Whether what may be seen of a record holds the words."""
        if not self.words:
            return True
        words = self.words.encode()
        texts: list[bytes | None] = [key] if self.within in {"any", "key"} else []
        if self.within in {"any", "value"}:
            texts.append(value)
        if self.within in {"any", "headers"}:
            texts += [part for name, held in headers for part in (name.encode("utf-8", "surrogateescape"), held)]
        return any(words in text for text in texts if text)

    def as_plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "way": self.way,
            "at": self.at.isoformat() if self.at else None,
            "positions": {str(number): offset for number, offset in self.positions.items()},
            "partition": self.partition,
            "words": self.words,
            "within": self.within,
            "most": self.most,
        }

    @classmethod
    def of_plain(cls, body: Mapping[str, Any]) -> "Question":
        """From what `as_plain` made."""
        at = datetime.fromisoformat(body["at"]) if body["at"] else None
        positions = {int(number): offset for number, offset in body["positions"].items()}
        return cls(body["way"], at, positions, body["partition"], body["words"], body["within"], body["most"])


@dataclass(frozen=True, slots=True)
class Match:
    """A record that was asked for, without what is dropped. `origins`: topics whose mask rules count for it, too.

    `n_bytes`: of the whole record. `n_value_bytes`: of the whole value. `is_cut`: only the first of the value are here;
    `is_withheld`: a drop rule is meant for the value and it cannot be looked into, so that it is not here.
    """

    record: Record
    n_bytes: int
    n_value_bytes: int
    is_cut: bool = False
    is_withheld: bool = False
    origins: tuple[str, ...] = ()


@dataclass(slots=True)
class Course:
    """How far a partition was read: the offsets from `begin` up to `end`, which is not included.

    `low`, `high`: first kept and next offset when the reading began. `missing`: offsets asked for that are deleted.
    """

    number: int
    low: int
    high: int
    begin: int
    end: int
    n_records: int = 0
    n_bytes: int = 0
    n_matches: int = 0
    why: Why | None = None
    missing: int = 0


@dataclass(slots=True)
class Budget:
    """What is left to be read of one question."""

    n_bytes: int = MOST_BYTES
    n_matches: int = MOST_MATCHES
    n_read: int = 0
    n_read_bytes: int = 0

    def takes(self, size: int) -> bool:
        """Whether a record of this size may be looked at: also one that is too large, if it is the first."""
        return size <= self.n_bytes or not self.n_read

    def spend(self, size: int) -> None:
        """It was looked at."""
        self.n_bytes -= size
        self.n_read += 1
        self.n_read_bytes += size

    @property
    def over(self) -> Why | None:
        """Which of it is used up."""
        if self.n_matches <= 0:
            return Why.MATCHES
        return Why.BYTES if self.n_bytes <= 0 else None

    def half(self, n: int, length: int) -> "Share":
        """What a stretch of so many offsets may take in each of `n` partitions; as much stays for a shorter one."""
        return Share(max(1, self.n_bytes // (2 * n)), length)

    def share(self, n: int) -> "Share":
        """What each of `n` partitions may take before any of them takes more."""
        return Share(max(1, self.n_bytes // n), max(1, self.n_matches // n))


@dataclass(slots=True)
class Share:
    """What is left of a partition's part in one round. Its first record is taken, whatever its size."""

    n_bytes: int
    n_matches: int
    is_fresh: bool = True

    def takes(self, size: int) -> bool:
        """Whether a record of this size is still its due."""
        return self.n_matches > 0 and (self.is_fresh or size <= self.n_bytes)

    def spend(self, size: int, *, is_match: bool) -> None:
        """It was looked at."""
        self.is_fresh = False
        self.n_bytes -= size
        self.n_matches -= is_match


def courses(
    question: Question, ends: Mapping[int, tuple[int, int]], since: Mapping[int, int | None] | None = None
) -> list[Course]:
    """Where each partition is begun, by number.

    `since`: the first offsets after the moment that is asked for, None where there is none. What is not in it did not
    answer: it has no course, for nobody knows where it begins.
    """
    found = []
    for number, (low, high) in sorted(ends.items()):
        if since is not None and number not in since:
            continue
        asked = question.positions.get(number)
        if asked is None and since is not None:
            asked = since[number]
        elif asked is None and question.way == "forward":
            asked = low
        asked = high if asked is None else asked
        place = max(low, min(asked, high))
        made = Course(number, low, high, place, place, missing=max(0, low - asked))
        found.append(made)
    return found


def chosen(question: Question, numbers: Sequence[int]) -> list[int]:
    """The partitions to read of those that there are: the first ones, where there are too many."""
    wanted = set(question.positions) or ({question.partition} if question.partition is not None else set(numbers))
    return sorted(wanted & set(numbers))[:MOST_PARTITIONS]


def stretch_back(course: Course, budget: Budget, n: int, *, before: int, was_too_long: bool, is_filtered: bool) -> int:
    """How many offsets to go back next in one of `n` partitions, so that all of it fits into what is left.

    `before`: how many it was the last time, 0 at first; `was_too_long`: it did not fit.
    """
    if not before:
        return 1
    if was_too_long:
        return max(1, before // _SHORTER)
    covered = course.end - course.begin
    if not course.n_records:
        return before * _FASTER
    most = budget.n_bytes / n * _SURE * covered / max(course.n_bytes, 1)
    if not is_filtered:
        most = min(most, -(-budget.n_matches // n) * covered / course.n_records)
    return max(1, min(int(most), before * _FASTER))


def fairly(found: Mapping[int, Sequence[Match]], most: int) -> dict[int, int]:
    """How many of each partition's matches stay, so that no partition has many before each has some."""
    kept = dict.fromkeys(found, 0)
    left = most
    while left > 0 and (open_ones := [number for number in sorted(found) if kept[number] < len(found[number])]):
        for number in open_ones[:left]:
            kept[number] += 1
        left -= min(left, len(open_ones))
    return kept
