"""A dead letter: an event that a consumer gave up on, and the states it and its retries go through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from collector.domain import stacks
from collector.domain.stacks import Section, Trace

UNKNOWN_DIALECT = "unknown"
ATTEMPT_LIMIT = 5  # a letter that died this often is not sent again: something in the flow loops


class LetterStatus(IntEnum):
    """Where a dead letter stands. The numbers are stored in letter_state.status."""

    OPEN = 0
    RETRY_REQUESTED = 1
    SENT = 2  # no outcome yet; "no answer" once the wait is over
    PROCESSED = 3  # traced
    PASSED = 4  # the group's offset moved past it and nothing failed
    UNKNOWN = 5  # may have been sent; never sent again by machine
    ARCHIVED = 6


class ItemStatus(IntEnum):
    """Where one send of a retry operation stands. The numbers are stored in retry_item.status."""

    REQUESTED = 0
    CLAIMED = 1  # a worker is sending it, or died while it was
    SENT = 2
    UNKNOWN = 3
    PROCESSED = 4
    PASSED = 5
    FAILED_AGAIN = 6
    NOT_SENT = 7
    CANCELLED = 8


class OperationStatus(IntEnum):
    """Where a retry operation stands. The numbers are stored in retry_operation.status."""

    REQUESTED = 0
    RUNNING = 1
    DONE = 2
    STOPPED = 3
    CANCELLED = 4
    PAUSED = 5
    DRAFT = 6  # a plan that nobody confirmed yet: nothing is frozen for others, nothing is sent
    ASKED = 7  # a plan that waits for a second person's approval


LETTER_OF_ITEM: Mapping[ItemStatus, LetterStatus] = {
    ItemStatus.REQUESTED: LetterStatus.RETRY_REQUESTED,
    ItemStatus.CLAIMED: LetterStatus.RETRY_REQUESTED,
    ItemStatus.SENT: LetterStatus.SENT,
    ItemStatus.UNKNOWN: LetterStatus.UNKNOWN,
    ItemStatus.PROCESSED: LetterStatus.PROCESSED,
    ItemStatus.PASSED: LetterStatus.PASSED,
    ItemStatus.FAILED_AGAIN: LetterStatus.OPEN,
    ItemStatus.NOT_SENT: LetterStatus.OPEN,
    ItemStatus.CANCELLED: LetterStatus.OPEN,
}
"""What a letter becomes when its newest send becomes this."""


@dataclass(slots=True, unsafe_hash=True)  # not frozen, as Record is not; never changed
class Place:
    """A position as a header claims it; what it does not say is None. A claim, until the bytes there were compared."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


@dataclass(slots=True, unsafe_hash=True)  # not frozen, as Record is not; never changed
class DeadLetter:
    """What a dead record says of its failure. Texts are "" and the rest None where it says nothing.

    `origin` is where the event first died, `latest` where it died last. The exception is the application's, not the
    wrapper a framework put around it. `attempts` counts deliveries, where the framework does.
    """

    dialect: str
    origin: Place
    latest: Place
    group: str | None
    exception_class: str
    message: str
    stack: str
    attempts: int | None
    failed_at: datetime | None
    trace: Trace | None = field(default=None, repr=False, compare=False)  # of the stack, where it was read

    @property
    def sections(self) -> tuple[Section, ...]:
        """The exceptions in its stack."""
        trace = self.trace
        return trace.sections if trace is not None and trace.text is self.stack else stacks.sections(self.stack)
