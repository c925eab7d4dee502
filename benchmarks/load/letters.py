"""Dead letters as Spring writes them: a value of 900 bytes, twelve headers, a stack of 3 kB, 40 kinds of failure."""

import random
import struct

N_PARTITIONS, N_FAILURES = 6, 40
CONTAINER = "KafkaMessageListenerContainer"
FRAME = "\tat org.springframework.kafka.listener." + CONTAINER + ".{0}(" + CONTAINER + ".java:{1})\n"
FRAMES = [FRAME.format(f"invoke{line}", line) for line in range(26)]
VALUE = bytes(random.Random(7).choices(b'{"amount": 12.5, "lines": []}', k=900))
Headers = list[tuple[str, bytes | None]]


def key(number: int, n_keys: int) -> bytes:
    """Of the nth; letters of one key lie in one partition where `n_keys` is a multiple of six."""
    return f"order-{number % n_keys}".encode()


def headers(number: int, origin: str) -> Headers:
    """Of the nth; its origin is partition n % 6, offset n // 6."""
    failure = f"Gateway{number % N_FAILURES}"
    said = f"order {number} declined: limit of {number % 977} exceeded"
    stack = (
        f"org.springframework.kafka.listener.ListenerExecutionFailedException: Listener failed\n{''.join(FRAMES[:11])}"
        f"Caused by: shop.billing.CardDeclined: {said}\n\tat shop.billing.{failure}.charge({failure}.java:88)\n"
        f"\tat shop.billing.Billing.pay(Billing.java:31)\n{''.join(FRAMES[11:])}"
    )
    return [
        ("order-id", f"order-{number}".encode()),
        ("content-type", b"application/json"),
        ("traceparent", f"00-{number + 1:032x}-{number + 1:016x}-01".encode()),
        ("kafka_dlt-original-topic", origin.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", number % N_PARTITIONS)),
        ("kafka_dlt-original-offset", struct.pack(">q", number // N_PARTITIONS)),
        ("kafka_dlt-original-timestamp", struct.pack(">q", 1_795_450_095_872)),
        ("kafka_dlt-original-consumer-group", b"billing"),
        ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-cause-fqcn", b"shop.billing.CardDeclined"),
        ("kafka_dlt-exception-message", f"Listener failed; nested exception is {said}".encode()),
        ("kafka_dlt-exception-stacktrace", stack.encode()),
    ]
