"""NServiceBus: its error queue's headers travel with a message wherever it is bridged to; names end the queue's way."""

from functools import partial

from collector.domain.dialects import values
from collector.domain.dialects.family import Family, read_family

FAMILY = Family(
    dialect="nservicebus",
    marks=("NServiceBus.FailedQ", "NServiceBus.ExceptionInfo.ExceptionType"),
    topic=("NServiceBus.FailedQ",),
    group=("NServiceBus.ProcessingEndpoint",),
    exception_class=("NServiceBus.ExceptionInfo.ExceptionType",),
    message=("NServiceBus.ExceptionInfo.Message",),
    stack=("NServiceBus.ExceptionInfo.StackTrace",),
    failed_at=("NServiceBus.TimeOfFailure",),
    place=values.queue,
)
read = partial(read_family, FAMILY)
