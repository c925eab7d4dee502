"""A record of a dead-letter topic -> the letter as it is stored and shown: by its dialect, without what is hidden."""

import logging
from dataclasses import replace

from collector.domain import dialects, masking
from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import LetterMapping
from collector.domain.masking import Concealed, Rules
from collector.domain.records import Record

log = logging.getLogger(__name__)


def letter_of(record: Record, mapping: LetterMapping | None) -> DeadLetter | None:
    """What the record says of a failure, or None when it is no dead letter."""
    try:
        return dialects.read(record, mapping)
    except Exception:
        # A fault in a dialect must not stop the intake at this record for ever, nor hide that there is a dead letter.
        log.exception("cannot read the dead letter %s/%d/%d", record.topic, record.partition, record.offset)
        is_letter = mapping is not None or dialects.role(record.topic) == "dead_letter"
        return dialects.unknown(record) if is_letter else None


def way_of(record: Record) -> DeadLetter | None:
    """What a record of a retry topic says of the deliveries that failed, where it says something."""
    try:
        return dialects.on_its_way(record)
    except Exception:
        # As above: what cannot be read says nothing.
        log.exception("cannot read the retried %s/%d/%d", record.topic, record.partition, record.offset)
        return None


def parked_form(record: Record, mapping: LetterMapping | None, hidden: Rules) -> DeadLetter | None:
    """The letter of a record as it is parked; None when it is no dead letter."""
    letter = letter_of(record, mapping)
    if letter is None:
        return None
    aim = hidden.of(record.topic, *origins(letter))
    seen = masking.concealed(aim, key=record.key, value=record.value, headers=record.headers) if aim else None
    return fit_to_see(letter, seen)


def origins(letter: DeadLetter | None) -> tuple[str | None, ...]:
    """The topics whose mask rules count for it, besides its own."""
    return (letter.origin.topic, letter.latest.topic) if letter else ()


def fit_to_see(letter: DeadLetter, seen: Concealed | None) -> DeadLetter:
    """Its reason as lists, titles and searches show it. The record's own bytes are kept as they are."""
    trace = letter.trace if letter.trace is not None and letter.trace.text is letter.stack else None
    message = masking.without_shapes(letter.message)
    stack = masking.without_shapes(letter.stack, parts=trace.parts if trace else None)
    if seen is not None:
        message, stack = seen.said(message), seen.said(stack)
    if (message, stack) == (letter.message, letter.stack):
        return letter
    return replace(letter, message=message, stack=stack)
