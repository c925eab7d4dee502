"""Failure -> fingerprint: what dead letters that died of one cause have in common, and the words for it.

Consumer group, original topic, exception class and the top three application frames, without line numbers, which move
with every release; the message only where there are no such frames; the dead-letter topic where there is no class.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from collector.domain import stacks
from collector.domain.dead_letters import DeadLetter
from collector.domain.texts import cut

VERSION = 1  # a change of the rules is a new version: its groups stand beside the old ones until all letters moved
FRAMES = 3
MOST_TITLE = 200
MOST_PARTS = 2_000  # characters of a failure that is worth remembering

# In this order: what is secret first, then what differs from one event to the next.
_SUBSTITUTES = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"eyJ[\w-]{8,2000}+\.[\w-]{4,}(?:\.[\w-]*)?", "<token>"),
        (r"(?i)\bbearer\s+\S+", "Bearer <token>"),
        (r"(?<!\w)(\w++://)[^\s/:@]++:[^\s/@]++@", r"\1"),
        (r"(?<![\w.+-])[\w.+-]++@[\w-]++\.[\w.-]+", "<address>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b0x[0-9a-fA-F]+\b", "<id>"),
        (r"@[0-9a-f]{5,8}\b", ""),  # Java's identity of an object without a toString
        (r"\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b", "<id>"),
        (r"\d+(?:[.,:]\d+)*", "<n>"),
        (r"\s+", " "),
    )
)


@dataclass(slots=True, unsafe_hash=True)  # not frozen, as Record is not; never changed
class Fingerprint:
    """Equal digests are one failure group, as long as no person split it: then `detail` tells.

    `message` is the letter's; `title` is for people: "CardDeclined at Gateway.charge:88".
    """

    version: int
    digest: UUID
    message: str
    title: str

    @property
    def detail(self) -> UUID:
        """Of what the letter says. Asked for only where a group was split: it takes longer than all the rest."""
        return detail_of(normalised(self.message))


Rule = Callable[[DeadLetter, str], Fingerprint]


@dataclass(frozen=True, slots=True)
class Fingerprinting:
    """One version of the rules: a letter and the topic it lies on -> its fingerprint; and the version before."""

    version: int
    of: Rule
    before: "Fingerprinting | None" = None


def fingerprint(letter: DeadLetter, *, dead_letter_topic: str) -> Fingerprint:
    """The fingerprint of a failure, by this version of the rules."""
    frames = own_frames(letter)
    # Most failures are told by class and frames alone.
    said = "" if frames and short_class(letter.exception_class) else normalised(letter.message)
    parts = [letter.group or "", letter.origin.topic or "", letter.exception_class]
    if frames:
        parts += [f"{frame.owner}.{frame.function}" for frame in frames]
    else:
        parts.append(said)
    if not letter.exception_class:
        parts.append(dead_letter_topic)
    digest = _known_digest(*parts) if sum(map(len, parts)) <= MOST_PARTS else digest_of(parts)
    return Fingerprint(VERSION, digest, letter.message, _title(letter, frames, said, dead_letter_topic))


CURRENT = Fingerprinting(VERSION, lambda letter, topic: fingerprint(letter, dead_letter_topic=topic))


def digest_of(parts: Iterable[str]) -> UUID:
    """Of texts, each with its length, so that no two lists have one digest."""
    body = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode("utf-8", "replace") for part in parts))
    return UUID(bytes=hashlib.blake2b(body, digest_size=16).digest())


@lru_cache(maxsize=1_024)  # letters come in groups
def _known_digest(*parts: str) -> UUID:
    return digest_of(parts)


def detail_of(said: str) -> UUID:
    """Of a normalised message: by it a group is split."""
    return digest_of([said])


def own_frames(letter: DeadLetter) -> tuple[stacks.Frame, ...]:
    """The top application frames of the exception, innermost first; () where the stack has none."""
    section = stacks.of_exception(letter.sections, letter.exception_class)
    return section.own[:FRAMES] if section else ()


def normalised(message: str) -> str:
    """The first line of a message without what tells one event from another, or must not be seen."""
    text = next((line for line in message.splitlines() if line.strip()), "")
    for pattern, word in _SUBSTITUTES:
        text = pattern.sub(word, text)
    return cut(text.strip(), MOST_TITLE)


def short_class(exception_class: str) -> str:
    """CardDeclined of shop.billing.Gateway$CardDeclined."""
    return exception_class.replace("$", ".").rpartition(".")[2]


def _title(letter: DeadLetter, frames: tuple[stacks.Frame, ...], said: str, dead_letter_topic: str) -> str:
    name = short_class(letter.exception_class)
    if name and frames:
        return cut(f"{name} at {frames[0]}", MOST_TITLE)
    if name or said:
        return cut(": ".join(part for part in (name, said) if part), MOST_TITLE)
    return cut(f"No reason given, in {dead_letter_topic}", MOST_TITLE)
