"""MassTransit: faults as its queue transports mark them; the input address is a URI that ends with the queue."""

from functools import partial

from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="masstransit",
    marks=("MT-Fault-ExceptionType", "MT-Fault-Message", "MT-Fault-InputAddress", "MT-Reason"),
    topic=("MT-Fault-InputAddress",),
    group=("MT-Fault-ConsumerType",),
    exception_class=("MT-Fault-ExceptionType",),
    message=("MT-Fault-Message", "MT-Reason"),
    stack=("MT-Fault-StackTrace",),
    attempts=("MT-Fault-RetryCount",),
    attempts_over=-1,  # it counts the tries after the first
    failed_at=("MT-Fault-Timestamp",),
    place=values.queue,
)
read = partial(read_family, FAMILY)
