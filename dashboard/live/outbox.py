"""What waits for one socket: the newest state of each stream, never more, and at most two unanswered messages."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from dashboard.live.deltas import Message

MOST_UNACKNOWLEDGED = 2


class Feed(Protocol):
    """A stream as its readers see it."""

    name: str
    seq: int

    def message_after(self, seen: int) -> Message:
        """The newest state for a reader whose last message was `seen` (0: none)."""
        ...


@dataclass(frozen=True, slots=True)
class Bell:
    """One ring, encoded once."""

    of: str
    seq: int
    message: Message


class Outbox:
    """Daphne sends without backpressure: a reader that does not acknowledge gets nothing more (S15)."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._bells: dict[str, Bell] = {}
        self._seen: dict[str, int] = {}
        self._sent: deque[tuple[int, float]] = deque()
        self._rang = False  # with the last message: on a slow line bells alone would fill it

    def put(self, feed: Feed) -> None:
        """The stream has a newer state; one that still waits is forgotten."""
        self._feeds[feed.name] = feed

    def ring(self, bell: Bell) -> None:
        """A bell; one of the same kind that still waits is forgotten."""
        self._bells[bell.of] = bell

    def keep_only(self, names: Collection[str]) -> None:
        """The reader wants these streams from now on; of the others nothing waits and nothing is remembered."""
        self._feeds = {name: feed for name, feed in self._feeds.items() if name in names}
        self._seen = {name: seq for name, seq in self._seen.items() if name in names}

    def take(self, *, at: float) -> Message | None:
        """The next message to send now, or None: nothing waits, or two are unacknowledged. `at`: monotonic seconds."""
        if len(self._sent) >= MOST_UNACKNOWLEDGED:
            return None
        if self._rang:
            return self._newest(at) or self._ring(at)
        return self._ring(at) or self._newest(at)

    def _ring(self, at: float) -> Message | None:
        if not self._bells:
            return None
        bell = self._bells.pop(next(iter(self._bells)))
        self._rang = True
        self._sent.append((bell.seq, at))
        return bell.message

    def _newest(self, at: float) -> Message | None:
        while self._feeds:
            feed = self._feeds.pop(next(iter(self._feeds)))
            seen = self._seen.get(feed.name, 0)
            if feed.seq == seen:
                continue
            message = feed.message_after(seen)
            self._rang = False
            self._seen[feed.name] = feed.seq
            self._sent.append((feed.seq, at))
            return message
        return None

    def acknowledge(self, seq: int) -> bool:
        """The page has the message `seq`. False when nothing of that number is out."""
        for waiting in self._sent:
            if waiting[0] == seq:
                self._sent.remove(waiting)
                return True
        return False

    def unacknowledged_since(self) -> float | None:
        """When the oldest unacknowledged message was sent, monotonic seconds; None when there is none."""
        return self._sent[0][1] if self._sent else None
