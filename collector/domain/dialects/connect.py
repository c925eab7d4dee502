"""Kafka Connect's sinks: text values, the original's timestamp on the record, repeats appended."""

from dataclasses import replace

from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record

_CONNECTOR = "__connect.errors.connector.name"

FAMILY = Family(
    dialect="connect",
    marks=("__connect.errors.topic", "__connect.errors.exception.class.name", "__connect.errors.stage"),
    topic=("__connect.errors.topic",),
    partition=("__connect.errors.partition",),
    offset=("__connect.errors.offset",),
    exception_class=("__connect.errors.exception.class.name",),
    message=("__connect.errors.exception.message",),
    stack=("__connect.errors.exception.stacktrace",),
    copies_time=True,
    besides=(_CONNECTOR,),
)


def read(record: Record, headers: Grouped) -> DeadLetter | None:
    """The failure, with the connector's group: "connect-" and the connector's name, unless it was overridden."""
    found = read_family(FAMILY, record, headers)
    if found is None:
        return None
    connector = values.text(headers.get(_CONNECTOR, [None])[-1], values.MOST_GROUP - len("connect-"))
    return replace(found, group=f"connect-{connector}") if connector else found
