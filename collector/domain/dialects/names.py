"""What a topic is for, by its name alone: the defaults of the frameworks that make such topics."""

import re
from functools import lru_cache
from typing import Literal

Role = Literal["business", "dead_letter", "retry", "internal"]

_INTERNAL = re.compile(
    r"(?:__|weir\.|_schemas$|_confluent).*"
    r"|.+-K(?:STREAM|TABLE)-.+-(?:changelog|repartition|subscription-(?:registration|response)-topic)"
)
_DEAD_LETTER = re.compile(
    r".+(?:[._-]dl[tq]|[._-]dead-?letters?|[_-]error|_skipped|[._-]poison|[._-]parkinglot)"
    r"|(?:error\.|dead-letter-topic-|dlq[.-]).+"
    r"|dl[tq]|dead[._-]?letters?|.*ksql_processing_log",
    re.IGNORECASE,
)
# "<topic>.retry.<group>" is one group's own; "_retry_5000" is SmallRye's, "__2__retry" uForwarder's.
_RETRY = re.compile(r".+(?:[._-]retry(?:-\d+)?|_retry_\d+|__retry|\.retry\..+)", re.IGNORECASE)


@lru_cache(maxsize=4_096)  # asked for each record; a name has at most 249 characters
def role(topic_name: str) -> Role:
    """What the topic is for. Headers on its records are better evidence: see `dialects.read`."""
    if _INTERNAL.fullmatch(topic_name):
        return "internal"
    if _DEAD_LETTER.fullmatch(topic_name):
        return "dead_letter"
    return "retry" if _RETRY.fullmatch(topic_name) else "business"


def retry_topics(topic_name: str, group: str) -> tuple[str, ...]:
    """Names of the topic that only `group` reads to get its own failures again, as hand-written code and uForwarder
    build them. Whether a topic is there and who reads it is asked before it is used.
    """
    return (
        f"{topic_name}.retry.{group}",
        f"{topic_name}.{group}.retry",
        f"{topic_name}-{group}-retry",
        f"{topic_name}__{group}__retry",
    )
