"""A family of dead-letter headers as a table of names, and the one reader of all such tables."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from collector.domain import stacks
from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import values
from collector.domain.dialects.values import Grouped, Number
from collector.domain.records import Record

Names = tuple[str, ...]

_LOG_APPEND_TIME = 2
MOST_PARTITION, MOST_OFFSET, MOST_ATTEMPTS = 2**31 - 1, 2**63 - 1, 10_000

# What frameworks wrap around the application's exception.
WRAPPERS = (
    "ListenerExecutionFailedException",
    "TimestampedException",
    "KafkaBackoffException",
    "MessageHandlingException",
    "MessagingException",
    "CompletionException",
    "ExecutionException",
    "UndeclaredThrowableException",
    "InvocationTargetException",
)


@dataclass(frozen=True, slots=True)
class Family:
    """Which header says what. Of several names the first that is there speaks.

    `marks`: any of them on a record makes it one of this family, where all of `needs` and none of `unless` are there.
    `newest_first`: the framework puts its own headers before those of an earlier death, instead of behind them.
    `copies_time`: the record carries the time of the original, so it says nothing of the failure. `attempts_over` is
    taken off the count of attempts. `place` reads the topic's name. `besides`: what the dialect's own reader looks at.
    """

    dialect: str
    marks: Names
    topic: Names
    partition: Names = ()
    offset: Names = ()
    group: Names = ()
    exception_class: Names = ()
    message: Names = ()
    stack: Names = ()
    attempts: Names = ()
    failed_at: Names = ()
    number: Number = values.decimal
    newest_first: bool = False
    copies_time: bool = False
    attempts_over: int = 0
    needs: Names = ()
    unless: Names = ()
    place: Callable[[bytes | None], str | None] = values.topic
    besides: Names = ()


def read_family(family: Family, record: Record, headers: Grouped) -> DeadLetter | None:
    """The failure these headers tell of, or None when none of the family's marks is there."""
    if not is_of(family, headers.keys()):
        return None
    latest, first = (0, -1) if family.newest_first else (-1, 0)
    stack = values.text(_value(headers, family.stack, latest), values.MOST_STACK)
    named = [
        values.text(headers[name][latest], values.MOST_CLASS) for name in family.exception_class if name in headers
    ]
    trace = stacks.trace(stack) if stack else None
    sections = trace.sections if trace else ()
    exception_class = application_class(named, sections)
    message = values.text(_value(headers, family.message, latest), values.MOST_MESSAGE)
    died_last = _place(family, headers, latest)
    return DeadLetter(
        dialect=family.dialect,
        origin=_place(family, headers, first) if len(headers) < len(record.headers) else died_last,
        latest=died_last,
        group=values.text(_value(headers, family.group, latest), values.MOST_GROUP) or None,
        exception_class=exception_class,
        message=_application_message(exception_class, sections) or message,
        stack=stack,
        attempts=attempts_of(family, _value(headers, family.attempts, latest)),
        failed_at=time_of(family, _value(headers, family.failed_at, latest), record),
        trace=trace,
    )


def is_of(family: Family, names: Set[str]) -> bool:
    """Whether a record whose headers have these names is one of the family."""
    if names.isdisjoint(family.marks):
        return False
    return names >= set(family.needs) and names.isdisjoint(family.unless)


def application_class(named: Sequence[str], sections: Sequence[stacks.Section]) -> str:
    """The application's exception class: the first named that is no wrapper, else the first such cause in the trace."""
    candidates = [name for name in named if name]
    own = [name for name in candidates if not _is_wrapper(name)]
    if own:
        return own[0]
    causes = [section.exception_class for section in sections if not _is_wrapper(section.exception_class)]
    return next((cause for cause in causes if cause), candidates[0] if candidates else "")[: values.MOST_CLASS]


def _is_wrapper(name: str) -> bool:
    return name.replace("$", ".").rpartition(".")[2] in WRAPPERS


def _application_message(exception_class: str, sections: Sequence[stacks.Section]) -> str:
    """What the application said: a header often holds the wrapper's sentence around it."""
    said = [one.message for one in sections if stacks.is_same_class(one.exception_class, exception_class)]
    return said[-1][: values.MOST_MESSAGE] if said and exception_class else ""


def _value(headers: Grouped, names: Names, which: int) -> bytes | None:
    for name in names:
        if (found := headers.get(name)) and (value := found[which]):
            return value
    return None


def _place(family: Family, headers: Grouped, which: int) -> Place:
    return Place(
        topic=family.place(_value(headers, family.topic, which)),
        partition=number_of(family, _value(headers, family.partition, which), MOST_PARTITION),
        offset=number_of(family, _value(headers, family.offset, which), MOST_OFFSET),
    )


def number_of(family: Family, value: bytes | None, most: int) -> int | None:
    """What a header's value counts, from 0 to `most`."""
    found = family.number(value) if value else None
    return found if found is not None and 0 <= found <= most else None


def attempts_of(family: Family, value: bytes | None) -> int | None:
    """How many deliveries a header's value tells of."""
    found = number_of(family, value, MOST_ATTEMPTS)
    return None if found is None else max(1, found - family.attempts_over)


def time_of(family: Family, value: bytes | None, record: Record) -> datetime | None:
    """When it failed: as a header's value says, else the record's own time, where that was taken at the failure."""
    if said := values.moment(value):
        return said
    is_own_time = not family.copies_time or record.timestamp_type == _LOG_APPEND_TIME
    return record.produced_at if is_own_time else None
