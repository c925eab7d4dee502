"""Spring Cloud Stream's Kafka binder (enableDlq): no group header; it is in the topic's name, error.<topic>.<group>."""

from dataclasses import replace

from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family
from collector.domain.dialects.values import Grouped
from collector.domain.records import Record

FAMILY = Family(
    dialect="spring-cloud-stream",
    marks=("x-exception-fqcn", "x-exception-message", "x-original-timestamp-type"),
    topic=("x-original-topic",),
    partition=("x-original-partition",),
    offset=("x-original-offset",),
    exception_class=("x-exception-fqcn",),
    message=("x-exception-message",),
    stack=("x-exception-stacktrace",),
    number=values.binary,
)


def read(record: Record, headers: Grouped) -> DeadLetter | None:
    """The failure, with the group that the topic's name tells: both names may hold dots, but the origin's is known."""
    found = read_family(FAMILY, record, headers)
    lead = f"error.{found.latest.topic}." if found and found.latest.topic else None
    if found is None or lead is None or not record.topic.startswith(lead) or record.topic == lead:
        return found
    return replace(found, group=record.topic.removeprefix(lead))
