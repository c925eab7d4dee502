"""Spring Kafka: the dead-letter recoverer and its retry topics, two families of names with Java's binary integers.

original-* repeat, one more with each death: the first is where the event died first. retry_topic-* repeat a hop.
"""

from functools import partial

from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family

_GROUP = ("kafka_dlt-original-consumer-group",)

RECOVERER = Family(
    dialect="spring",
    marks=("kafka_dlt-original-topic", "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"),
    topic=("kafka_dlt-original-topic",),
    partition=("kafka_dlt-original-partition",),
    offset=("kafka_dlt-original-offset",),
    group=_GROUP,
    exception_class=(
        "kafka_dlt-exception-cause-fqcn",
        "kafka_dlt-exception-fqcn",
        "kafka_dlt-key-exception-cause-fqcn",
        "kafka_dlt-key-exception-fqcn",
    ),
    message=("kafka_dlt-exception-message", "kafka_dlt-key-exception-message"),
    stack=("kafka_dlt-exception-stacktrace", "kafka_dlt-key-exception-stacktrace"),
    number=values.binary,
)

RETRY_TOPICS = Family(
    dialect="spring",
    marks=("kafka_original-topic", "kafka_exception-fqcn", "kafka_key-exception-fqcn"),
    topic=("kafka_original-topic",),
    partition=("kafka_original-partition",),
    offset=("kafka_original-offset",),
    group=_GROUP,
    exception_class=(
        "kafka_exception-cause-fqcn",
        "kafka_exception-fqcn",
        "kafka_key-exception-cause-fqcn",
        "kafka_key-exception-fqcn",
    ),
    message=("kafka_exception-message", "kafka_key-exception-message"),
    stack=("kafka_exception-stacktrace", "kafka_key-exception-stacktrace"),
    attempts=("retry_topic-attempts",),
    number=values.binary,
    attempts_over=1,  # the framework has counted the next attempt already when it gives up
)
read_recoverer = partial(read_family, RECOVERER)
read_retry_topics = partial(read_family, RETRY_TOPICS)
