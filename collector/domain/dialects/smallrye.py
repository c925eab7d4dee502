"""SmallRye (Quarkus): text values, put before the record's older headers, so the first of a name is the latest."""

from collector.domain.dialects.family import Family

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
