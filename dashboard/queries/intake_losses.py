"""What did not get in: records that nobody could decode, and stretches that Kafka did not have any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

MOST = 10
LOOKED_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A record that was left out. `topic` "": it is not known by its id any more. Its first bytes stay in the table."""

    at: datetime
    topic: str
    partition: int
    offset: int
    n_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Where reading went on. `resumed` lies before `expected` where Kafka had lost its newest records."""

    at: datetime
    topic: str
    partition: int
    expected: int
    resumed: int


@dataclass(frozen=True, slots=True)
class IntakeLosses:
    """The newest of the last day, ten at most of each."""

    undecodable: tuple[Undecodable, ...]
    gaps: tuple[Gap, ...]


def intake_losses(*, now: datetime) -> IntakeLosses:
    """Two statements."""
    since = now - LOOKED_BACK
    with connection.cursor() as cursor:
        cursor.execute(_UNDECODABLE, [since, MOST])
        undecodable = tuple(Undecodable(*row) for row in cursor.fetchall())
        cursor.execute(_GAPS, [since, MOST])
        return IntakeLosses(undecodable, tuple(Gap(*row) for row in cursor.fetchall()))


# All taps of a cluster are one input, "*"; the name of a topic is then told by its id.
_TOPIC = (
    "coalesce(nullif(i.topic_name, '*'), (select t.name from topic t where t.cluster_id = i.cluster_id"
    " and t.kafka_id = x.topic_uuid limit 1), '')"
)
_UNDECODABLE = (
    f"select x.stored_at, {_TOPIC}, x.partition, x.kafka_offset, x.n_bytes, x.reason"  # noqa: S608  of constants
    " from undecodable x join input i on i.id = x.input_id where x.stored_at > %s order by x.stored_at desc limit %s"
)
_GAPS = (
    f"select x.noticed_at, {_TOPIC}, x.partition, x.expected_offset, x.resumed_offset"  # noqa: S608
    " from intake_gap x join input i on i.id = x.input_id where x.noticed_at > %s order by x.id desc limit %s"
)
