"""Letters of one failure differ in numbers and in what their exceptions say: all else is read once and remembered.

Half of a letter's time goes into its stack, which comes again and again with other words. What this gives is what
letter_forms.parked_form gives; tests/unit/test_alike.py holds both to it.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from collector.domain import dialects, masking
from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import values
from collector.domain.dialects.family import (
    MOST_OFFSET,
    MOST_PARTITION,
    Family,
    Names,
    attempts_of,
    number_of,
    time_of,
)
from collector.domain.fingerprints import VERSION, Fingerprint, fingerprint, own_frames, short_class
from collector.domain.letter_forms import parked_form
from collector.domain.masking import Rules
from collector.domain.records import Record
from collector.domain.stacks import PYTHON_START, Frame, Section, Trace, is_same_class
from collector.domain.texts import NEXT

MOST_PLANS, MOST_PLANNED = 1_000, 2_000  # how many are remembered; names and their characters in one
MOST_FORMS, MOST_FORMED = 4_096, 2_000_000  # as above; characters of all together, in memory ten times as much and more
MOST_EXCEPTIONS = 20  # in one stack
_CLASS = re.compile(r"(?!Suppressed$)[A-Za-z_][\w.$]*")  # "Suppressed: a.B: no" is headed by a.B
_NO_RULES = Rules()
_Key = tuple[object, ...]


class Parked(NamedTuple):
    """A letter as it is parked, with its fingerprint."""

    letter: DeadLetter
    fingerprint: Fingerprint


@dataclass(slots=True, eq=False)  # each is itself alone
class _Plan:
    """Which header says what, by places, in headers of the same names. `fixed`: what is alike in letters alike."""

    family: Family
    fixed: tuple[int, ...]
    stack: int
    message: int | None
    partition: int | None
    offset: int | None
    attempts: int | None
    failed_at: int | None


@dataclass(frozen=True, slots=True)
class _Form:
    """What letters alike have in common. `said_by`: the exception whose words are the message, counted from the top."""

    dialect: str
    topic: str | None
    group: str | None
    exception_class: str
    calls: tuple[tuple[str, tuple[Frame, ...], tuple[Frame, ...]], ...]  # class, frames and own ones of each exception
    said_by: int | None
    digest: UUID | None
    title: str


class _Asked(NamedTuple):
    """A record in parts. `words`: what each exception in its stack says."""

    plan: _Plan
    values: tuple[bytes, ...]
    stack: str
    words: list[str]
    key: _Key


class Alike:
    """Reads the records of dead-letter topics, where no admin's mapping and no mask rule has a say. For one thread."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, tuple[str, ...]], _Plan | None] = {}
        self._forms: dict[_Key, _Form] = {}
        self._n_formed = 0

    def parked(self, record: Record) -> Parked | None:
        """The record's letter; None when it is no dead letter."""
        asked = self._asked(record)
        form = None if asked is None else self._forms.get(asked.key)
        if asked is not None and form is not None and _is_clean("\n".join(asked.words)):
            return _filled(form, asked, record)
        letter = parked_form(record, None, _NO_RULES)
        if letter is None:
            return None
        told = fingerprint(letter, dead_letter_topic=record.topic)
        if asked is not None and form is None and (form := _form(asked, letter, told)) is not None:
            self._remember(asked, form)
        return Parked(letter, told)

    def _asked(self, record: Record) -> _Asked | None:
        """None: the record must be read as a whole."""
        names, said = zip(*record.headers, strict=True) if record.headers else ((), ())
        plan = self._plan(record.topic, names)
        if plan is None or not all(said):
            return None
        raw = said[plan.stack]
        if len(raw) > values.MOST_STACK:
            return None
        try:
            stack = raw.decode().strip()
        except UnicodeDecodeError:
            return None
        key: list[object] = [plan, *[said[at] for at in plan.fixed]]
        words = []
        parts = stack.split(NEXT, MOST_EXCEPTIONS)
        if len(parts) > MOST_EXCEPTIONS:
            return None
        for part in parts:
            line, feed, calls = part.partition("\n")
            if not line.isprintable():  # it may be several to whoever reads lines
                return None
            name, _, its_words = line.partition(": ")
            key += (name, feed, calls)
            words.append(its_words)
        return _Asked(plan, said, stack, words, tuple(key))

    def _plan(self, topic: str, names: tuple[str, ...]) -> _Plan | None:
        found = self._plans.get((topic, names), self)
        if not isinstance(found, Alike):
            return found
        if len(names) + sum(map(len, names)) > MOST_PLANNED:
            return None
        if len(self._plans) >= MOST_PLANS:
            self._plans, self._forms, self._n_formed = {}, {}, 0
        self._plans[topic, names] = made = _planned(topic, names)
        return made

    def _remember(self, asked: _Asked, form: _Form) -> None:
        size = len(asked.stack) + sum(len(asked.values[at]) for at in asked.plan.fixed)
        if len(self._forms) >= MOST_FORMS or self._n_formed + size > MOST_FORMED:
            self._forms, self._n_formed = {}, 0
        self._n_formed += size
        self._forms[asked.key] = form


def _is_clean(words: str) -> bool:
    """Whether they hold no secret, nor the beginning of one that may go on in the calls."""
    return masking.line_without_shapes(words) == words


def _planned(topic: str, names: tuple[str, ...]) -> _Plan | None:
    family = dialects.only_family(topic, names)
    if family is None or family.newest_first:
        return None
    if any(names.count(name) > 1 for name in (*family.topic, *family.partition, *family.offset)):
        return None  # it died more than once: it comes from one place and died last at another
    last = {name: at for at, name in enumerate(names)}

    def place(of: Names) -> int | None:
        return next((last[name] for name in of if name in last), None)

    stack = place(family.stack)
    if stack is None:
        return None
    alone = [(name,) for name in (*family.exception_class, *family.besides)]
    fixed = [place(of) for of in (family.topic, family.group, *alone)]
    return _Plan(
        family,
        tuple(at for at in fixed if at is not None),
        stack,
        place(family.message),
        place(family.partition),
        place(family.offset),
        place(family.attempts),
        place(family.failed_at),
    )


def _form(asked: _Asked, letter: DeadLetter, told: Fingerprint) -> _Form | None:
    """None where other words could mean more than other words."""
    names = [str(each) for each in asked.key[1 + len(asked.plan.fixed) :: 3]]
    if not all(map(_CLASS.fullmatch, names)) or PYTHON_START in asked.stack:
        return None
    sections = letter.sections
    if letter.stack != asked.stack or [each.exception_class for each in sections] != names:
        return None
    speaking = [at for at, one in enumerate(sections) if is_same_class(one.exception_class, letter.exception_class)]
    is_told = own_frames(letter) and short_class(letter.exception_class)  # else the message has a part in it
    return _Form(
        dialect=letter.dialect,
        topic=letter.origin.topic,
        group=letter.group,
        exception_class=letter.exception_class,
        calls=tuple((one.exception_class, one.frames, one.own) for one in sections),
        said_by=speaking[-1] if speaking and letter.exception_class else None,
        digest=told.digest if is_told else None,
        title=told.title,
    )


def _filled(form: _Form, asked: _Asked, record: Record) -> Parked:
    plan, said, family = asked.plan, asked.values, asked.plan.family
    place = Place(
        form.topic,
        None if plan.partition is None else number_of(family, said[plan.partition], MOST_PARTITION),
        None if plan.offset is None else number_of(family, said[plan.offset], MOST_OFFSET),
    )
    sections = tuple(
        [
            Section(name, words.strip(), frames, own)
            for (name, frames, own), words in zip(form.calls, asked.words, strict=True)
        ]
    )
    message = "" if form.said_by is None else sections[form.said_by].message[: values.MOST_MESSAGE]
    if not message or len(message) == values.MOST_MESSAGE:  # not within words that are clean
        header = None if plan.message is None else said[plan.message]
        message = masking.without_shapes(message or values.text(header, values.MOST_MESSAGE))
    letter = DeadLetter(
        form.dialect,
        place,
        place,
        form.group,
        form.exception_class,
        message,
        asked.stack,
        None if plan.attempts is None else attempts_of(family, said[plan.attempts]),
        time_of(family, None if plan.failed_at is None else said[plan.failed_at], record),
        Trace(asked.stack, (), sections),
    )
    if form.digest is None:
        return Parked(letter, fingerprint(letter, dead_letter_topic=record.topic))
    return Parked(letter, Fingerprint(VERSION, form.digest, message, form.title))
