"""All dialects in the order in which they are asked, and the one question: is this record a dead letter?"""

from collector.domain.dead_letters import UNKNOWN_DIALECT, DeadLetter, Place
from collector.domain.dialects import (
    connect,
    generic,
    share_group,
    smallrye,
    spring,
    spring_cloud,
    streams,
    values,
    watermill,
)
from collector.domain.dialects.family import read as read_family
from collector.domain.dialects.names import role
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record

FAMILIES = (
    spring.RECOVERER,
    spring.RETRY_TOPICS,
    connect.FAMILY,
    streams.FAMILY,
    share_group.FAMILY,
    smallrye.FAMILY,
    watermill.FAMILY,
    spring_cloud.FAMILY,
    generic.CERTAIN,
)


def read(record: Record) -> DeadLetter | None:
    """What the record says of a failure, or None when it is no dead letter.

    Headers are better evidence than the topic's name. A record on a retry topic is still on its way, and one that
    lies on the very topic its headers name as the origin was sent back with them: neither is a dead letter. A record
    without any known header on a topic named for dead letters is one, of the unknown dialect.
    """
    is_named = (named := role(record.topic)) == "dead_letter"
    if named in {"retry", "internal"} or not (record.headers or is_named):
        return None
    headers = values.grouped(record.headers)
    found = _first(record, headers)
    if found is None and is_named:
        found = read_family(generic.ON_DEAD_LETTER_TOPICS, record, headers) or _unknown(record)
    if found is None or (not is_named and record.topic in {found.origin.topic, found.latest.topic}):
        return None
    return found


def _first(record: Record, headers: Grouped) -> DeadLetter | None:
    for family in FAMILIES:
        if found := read_family(family, record, headers):
            if family is connect.FAMILY:
                return connect.with_group(found, headers)
            return spring_cloud.with_group(found, record.topic) if family is spring_cloud.FAMILY else found
    return None


def _unknown(record: Record) -> DeadLetter:
    return DeadLetter(UNKNOWN_DIALECT, Place(), Place(), None, "", "", "", None, record.produced_at)
