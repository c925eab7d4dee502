"""The client library's admin client, asked for many ends without an object for each of them."""

import concurrent.futures
from collections.abc import Mapping, Sequence

from confluent_kafka import IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export what it imports
    AdminClient,
    ListOffsetsResultInfo,
)

Ends = Mapping[TopicPartition, ListOffsetsResultInfo | KafkaError]


class EndsClient(AdminClient):
    """`AdminClient` with one future for a request of ends, where the library makes one for every partition.

    With 10,000 partitions the futures alone are a third of a scan's CPU. What is called is the library's own next step.
    """

    def ends(
        self, partitions: Sequence[tuple[str, int]], which: int, *, seconds: float
    ) -> "concurrent.futures.Future[Ends]":
        """`which` is OFFSET_END or OFFSET_BEGINNING. An offset or an error for each, or KafkaException for all."""
        future: concurrent.futures.Future[Ends] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        asked = [TopicPartition(topic, number, which) for topic, number in partitions]
        super(AdminClient, self).list_offsets(
            asked,
            future,
            isolation_level_value=IsolationLevel.READ_UNCOMMITTED.value,
            request_timeout=seconds,
        )
        return future
