"""SmallRye (Quarkus): text values, put before the record's older headers, so the first of a name is the latest.

A record of its delayed retries is on its way; only on a dead-letter topic do those headers tell of a death.
"""

from functools import partial

from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="smallrye",
    marks=("dead-letter-topic", "dead-letter-exception-class-name", "dead-letter-reason"),
    topic=("dead-letter-topic",),
    partition=("dead-letter-partition",),
    offset=("dead-letter-offset",),
    exception_class=("dead-letter-exception-class-name", "dead-letter-cause-class-name"),
    message=("dead-letter-reason", "dead-letter-cause"),
    newest_first=True,
)
read = partial(read_family, FAMILY)

DELAYED_RETRY = Family(
    dialect="smallrye-delayed-retry",
    marks=("delayed-retry-topic", "delayed-retry-exception-class-name", "delayed-retry-count"),
    topic=("delayed-retry-topic",),
    partition=("delayed-retry-partition",),
    offset=("delayed-retry-offset",),
    exception_class=("delayed-retry-exception-class-name", "delayed-retry-cause-class-name"),
    message=("delayed-retry-reason", "delayed-retry-cause"),
    attempts=("delayed-retry-count",),
    newest_first=True,
)
read_delayed_retry = partial(read_family, DELAYED_RETRY)
