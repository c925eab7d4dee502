"""What of a record that was read may be kept for an answer, and whether it is one that was asked for.

Drop rules count before that, as for taps; of dead letters, too, for nothing here is what a retry sends. Nothing is
found by what a mask rule hides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from collector.domain import dialects, masking
from collector.domain.dialects import LetterMapping, mapped
from collector.domain.key_aliases import alias
from collector.domain.letter_forms import letter_of, origins
from collector.domain.lookups import KEPT_VALUE, MOST_BYTES, Match, Question
from collector.domain.masking import Aim, Rules
from collector.domain.records import Record, size_of


@dataclass(frozen=True, slots=True)
class LookRules:
    """What is dropped, what nobody gets to see, what admins said of dead letters, and what masks keys."""

    drops: Rules = field(default_factory=Rules)
    hidden: Rules = field(default_factory=Rules)
    mappings: Sequence[LetterMapping] = ()
    alias_secret: bytes = field(default=b"", repr=False)


class Sieve:
    """For one question to one topic. `holds_letters`: that it holds dead letters is known."""

    def __init__(self, question: Question, rules: LookRules, *, topic: str, holds_letters: bool) -> None:
        self._question = question
        self._rules = rules
        self._mapping = mapped.fitting(rules.mappings, topic)
        self._holds_letters = holds_letters or self._mapping is not None or dialects.role(topic) == "dead_letter"

    def __call__(self, whole: Record) -> Match | None:
        """The record as it may be kept, if it is asked for."""
        letter = letter_of(whole, self._mapping) if self._holds_letters else None
        topics = tuple(dict.fromkeys((whole.topic, *(topic for topic in origins(letter) if topic))))
        drops, record, is_readable = self._rules.drops.of(*topics), whole, True
        if drops:
            record, is_readable = masking.dropped(whole, drops)
        if not self._fits(record, self._rules.hidden.of(*topics)):
            return None
        size = size_of(whole)
        is_cut = size > MOST_BYTES
        return Match(
            _cut(record) if is_cut else record,
            size,
            len(whole.value or b""),
            is_cut=is_cut,
            is_withheld=not is_readable,
            origins=topics[1:],
        )

    def _fits(self, record: Record, aim: Aim) -> bool:
        if not self._question.words:
            return True
        if not aim:
            return self._question.fits(record.key, record.value, record.headers)
        seen = masking.concealed(aim, key=record.key, value=record.value, headers=record.headers)
        key = seen.key
        if aim.key and record.key and self._rules.alias_secret:
            key = alias(self._rules.alias_secret, record.key).encode()
        return self._question.fits(key, seen.value, seen.headers)


def _cut(record: Record) -> Record:
    """Of a record that is larger than all that may be read: the beginning."""
    value = record.value[:KEPT_VALUE] if record.value is not None else None
    headers, left = [], KEPT_VALUE
    for name, held in record.headers:
        left -= len(name) + len(held or b"")
        if left < 0:
            break
        headers.append((name, held))
    key = record.key[:KEPT_VALUE] if record.key is not None else None
    return replace(record, key=key, value=value, headers=tuple(headers))
