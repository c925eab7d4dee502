"""Spring Cloud Stream's Kafka binder (enableDlq): no group header; it is in the topic's name, error.<topic>.<group>."""

from dataclasses import replace

from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import values
from collector.domain.dialects.family import Family

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


def with_group(found: DeadLetter, topic_name: str) -> DeadLetter:
    """The same with the group that the topic's name tells: both names may hold dots, but the origin's is known."""
    lead = f"error.{found.latest.topic}."
    if found.latest.topic is None or not topic_name.startswith(lead) or topic_name == lead:
        return found
    return replace(found, group=topic_name.removeprefix(lead))
