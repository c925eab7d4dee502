"""All dialects in the order in which they are asked, and the one question: is this record a dead letter?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from collector.domain.dead_letters import UNKNOWN_DIALECT, DeadLetter, Place
from collector.domain.dialects import (
    arroyo,
    connect,
    dapr,
    generic,
    karafka,
    knative,
    ksqldb,
    mapped,
    masstransit,
    nservicebus,
    redpanda_connect,
    share_group,
    smallrye,
    spring,
    spring_cloud,
    streams,
    uforwarder,
    values,
    watermill,
)
from collector.domain.dialects.family import Family, is_of
from collector.domain.dialects.mapped import LetterMapping
from collector.domain.dialects.names import role
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record
from collector.domain.resending import attempt_id

Read = Callable[[Record, Grouped], DeadLetter | None]
MOST_NAMES = 2_000  # characters of all header names of one record that is worth remembering

# The ones whose headers nobody else would write come first, what hand-written code uses comes last.
READERS: Sequence[Read] = (
    spring.read_recoverer,
    spring.read_retry_topics,
    connect.read,
    streams.read,
    share_group.read,
    smallrye.read,
    watermill.read,
    spring_cloud.read,
    nservicebus.read,
    masstransit.read,
    knative.read,
    karafka.read,
    redpanda_connect.read,
    dapr.read,
    uforwarder.read,
    ksqldb.read,
    arroyo.read,
)
HAND_WRITTEN: Sequence[Read] = (generic.read,)
ONLY_ON_DEAD_LETTER_TOPICS: Sequence[Read] = (smallrye.read_delayed_retry, generic.read_loosely)
FAMILIES = (
    spring.RECOVERER,
    spring.RETRY_TOPICS,
    connect.FAMILY,
    streams.FAMILY,
    share_group.FAMILY,
    smallrye.FAMILY,
    smallrye.DELAYED_RETRY,
    watermill.FAMILY,
    spring_cloud.FAMILY,
    nservicebus.FAMILY,
    masstransit.FAMILY,
    knative.FAMILY,
    karafka.FAMILY,
    redpanda_connect.FAMILY,
    dapr.FAMILY,
    arroyo.FAMILY,
    generic.CERTAIN,
)


# Readers that say more than the table of their family does, and nothing where that says nothing.
_ADDING: Mapping[Read, Family] = {
    connect.read: connect.FAMILY,
    spring_cloud.read: spring_cloud.FAMILY,
    knative.read: knative.FAMILY,
}

# Readers that look at records of topics with certain names only.
_BY_TOPIC: Mapping[Read, Callable[[str], bool]] = {uforwarder.read: uforwarder.is_one, ksqldb.read: ksqldb.is_one}


def read(record: Record, mapping: LetterMapping | None = None) -> DeadLetter | None:
    """What the record says of a failure, or None when it is no dead letter.

    Every record of a topic with a `mapping` is one, and what an admin described counts more than any header.

    Headers are better evidence than the topic's name. A record on a retry topic is still on its way, and one that
    lies on the very topic its headers name as the origin was sent back with them: neither is a dead letter. A record
    without any known header on a topic named for dead letters is one, of the unknown dialect. What the first framework
    does not say, another one on the same record may; hand-written names are too common for that.
    """
    if mapping is not None:
        return _described(record, mapping)
    is_named = (named := role(record.topic)) == "dead_letter"
    if named in {"retry", "internal"} or not (record.headers or is_named):
        return None
    headers = values.grouped(record.headers)
    loose = (*HAND_WRITTEN, *ONLY_ON_DEAD_LETTER_TOPICS) if is_named else HAND_WRITTEN
    all_found = _all(READERS, record, headers) or _all(loose, record, headers)[:1]
    if not all_found:
        return unknown(record) if is_named else None
    found = _completed(all_found[0], all_found[1:])
    if not is_named and record.topic in {found.origin.topic, found.latest.topic}:
        return None
    return found


def only_family(topic: str, names: Sequence[str]) -> Family | None:
    """The one whose table names all that `read` looks at there of a record with headers of these names."""
    found = _fitting(tuple(READERS), topic, tuple(names))
    family = _family(found[0]) if len(found) == 1 and role(topic) in {"dead_letter", "business"} else None
    return family if family is not None and (isinstance(found[0], partial) or family.besides) else None


def on_its_way(record: Record) -> DeadLetter | None:
    """What a record of a group's retry topic says of the deliveries that failed; None for any other, or where it says
    nothing. It is no dead letter."""
    if role(record.topic) != "retry" or not record.headers:
        return None
    found = _all((*READERS, *HAND_WRITTEN, *ONLY_ON_DEAD_LETTER_TOPICS), record, values.grouped(record.headers))
    if found:
        return _completed(found[0], found[1:])
    return unknown(record) if attempt_id(record) else None


def _described(record: Record, mapping: LetterMapping) -> DeadLetter:
    described = mapped.read(mapping, record)
    headers = values.grouped(record.headers)
    others = _all((*READERS, *HAND_WRITTEN, *ONLY_ON_DEAD_LETTER_TOPICS), record, headers)
    says_nothing = replace(described, dialect=UNKNOWN_DIALECT) == unknown(record)
    return _completed(others[0], others[1:]) if others and says_nothing else _completed(described, others)


def own_key(letter: DeadLetter, record: Record) -> bytes | None:
    """The key that the event had: a dialect may have put it away."""
    return uforwarder.original_key(record.key) if letter.dialect == uforwarder.DIALECT else record.key


def key_for(target: str, *, dialect: str, key: bytes | None) -> bytes | None:
    """The key to send with: uForwarder's own retry topics want the key as it put it away, all others the event's."""
    if dialect != uforwarder.DIALECT or role(target) == "retry":
        return key
    return uforwarder.original_key(key)


def _all(readers: Sequence[Read], record: Record, headers: Grouped) -> list[DeadLetter]:
    names = tuple(headers)
    fitting = _remembered if sum(map(len, names)) <= MOST_NAMES else _fitting
    return [letter for reader in fitting(tuple(readers), record.topic, names) if (letter := reader(record, headers))]


def _fitting(readers: Sequence[Read], topic: str, names: tuple[str, ...]) -> Sequence[Read]:
    """Those that can say something of headers with these names. The ones without a table of names look themselves."""
    found = frozenset(names)
    return tuple(
        each
        for each in readers
        if ((family := _family(each)) is None or is_of(family, found))
        and (each not in _BY_TOPIC or _BY_TOPIC[each](topic))
    )


def _family(reader: Read) -> Family | None:
    if not isinstance(reader, partial):
        return _ADDING.get(reader)
    family: Family = reader.args[0]
    return family


_remembered = lru_cache(maxsize=1_024)(_fitting)  # the letters of a topic have the same names


def _completed(found: DeadLetter, others: Sequence[DeadLetter]) -> DeadLetter:
    """The same with what it leaves open and others say."""
    for other in others:
        knows_place = found.origin.topic is not None or found.origin.offset is not None
        found = replace(
            found,
            origin=found.origin if knows_place else other.origin,
            latest=found.latest if knows_place else other.latest,
            group=found.group or other.group,
            exception_class=found.exception_class or other.exception_class,
            message=found.message or other.message,
            stack=found.stack or other.stack,
            attempts=found.attempts if found.attempts is not None else other.attempts,
        )
    return found


def unknown(record: Record) -> DeadLetter:
    """The letter of a record that says nothing, or that cannot be read."""
    return DeadLetter(UNKNOWN_DIALECT, Place(), Place(), None, "", "", "", None, record.produced_at)
