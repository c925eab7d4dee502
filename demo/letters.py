"""Dead letters as Spring Kafka's DeadLetterPublishingRecoverer writes them: headers, order and encodings.

The shop's billing plays a Spring service: names, big-endian integers and the wrapper's class are those that
spring-kafka 3.3 puts on a record (KafkaHeaders.DLT_*).
"""

import struct

from demo.gateway import Refused

Headers = list[tuple[str, bytes | None]]
TRACE_HEADERS = frozenset({"traceparent", "tracestate", "baggage"})

WRAPPER = "org.springframework.kafka.listener.ListenerExecutionFailedException"
LISTENER = (
    "Listener method 'public void shop.billing.OrderListener.onOrder("
    "org.apache.kafka.clients.consumer.ConsumerRecord<java.lang.String, shop.billing.Order>)' threw exception"
)
_CONTAINER = "org.springframework.kafka.listener.KafkaMessageListenerContainer$ListenerConsumer"
_OUTER_FRAMES = (
    f"{_CONTAINER}.decorateException(KafkaMessageListenerContainer.java:3043)",
    f"{_CONTAINER}.doInvokeOnMessage(KafkaMessageListenerContainer.java:2950)",
    f"{_CONTAINER}.invokeOnMessage(KafkaMessageListenerContainer.java:2914)",
    f"{_CONTAINER}.doInvokeRecordListener(KafkaMessageListenerContainer.java:2826)",
    f"{_CONTAINER}.invokeListener(KafkaMessageListenerContainer.java:2201)",
    f"{_CONTAINER}.pollAndInvoke(KafkaMessageListenerContainer.java:1493)",
    f"{_CONTAINER}.run(KafkaMessageListenerContainer.java:1362)",
    "java.base/java.util.concurrent.CompletableFuture$AsyncRun.run(CompletableFuture.java:1804)",
    "java.base/java.lang.Thread.run(Thread.java:840)",
)
_INNER_FRAMES = (
    "java.base/java.lang.reflect.Method.invoke(Method.java:569)",
    "org.springframework.messaging.handler.invocation.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:169)",
    "org.springframework.kafka.listener.adapter.HandlerAdapter.invoke(HandlerAdapter.java:78)",
)


def own_trace(failure: Refused) -> str:
    """The failure's own stack trace, as on its span."""
    frames = "".join(f"\tat {frame}\n" for frame in (*failure.frames, *_INNER_FRAMES))
    return f"{failure.java_class}: {failure}\n{frames}"


def whole_trace(failure: Refused) -> str:
    """The stack trace with the listener container's wrapper around it, as in a dead letter."""
    outer = "".join(f"\tat {frame}\n" for frame in _OUTER_FRAMES)
    return f"{WRAPPER}: {LISTENER}\n{outer}Caused by: {own_trace(failure)}\t... 6 more\n"


def passed_on(headers: Headers) -> Headers:
    """The headers of a record that is sent on: all but the trace context, which the sender writes anew.

    A second `traceparent` would make the next Python reader follow the old one: it takes the first.
    """
    return [(name, value) for name, value in headers if name.lower() not in TRACE_HEADERS]


def dead_letter_headers(
    failure: Refused,
    *,
    headers: Headers,
    origin: tuple[str, int, int],
    timestamp_ms: int,
    group: str,
) -> Headers:
    """The headers of the dead letter for a record at `origin` (topic, partition, offset), in Spring's order."""
    topic, partition, offset = origin
    return [
        *passed_on(headers),
        ("kafka_dlt-exception-fqcn", WRAPPER.encode()),
        ("kafka_dlt-exception-cause-fqcn", failure.java_class.encode()),
        ("kafka_dlt-exception-message", f"{LISTENER}; {failure}".encode()),
        ("kafka_dlt-exception-stacktrace", whole_trace(failure).encode()),
        ("kafka_dlt-original-topic", topic.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", partition)),
        ("kafka_dlt-original-offset", struct.pack(">q", offset)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", timestamp_ms)),
        ("kafka_dlt-original-timestamp-type", b"CreateTime"),
        ("kafka_dlt-original-consumer-group", group.encode()),
    ]
