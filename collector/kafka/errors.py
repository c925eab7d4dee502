"""librdkafka's error codes -> errors that name the next move."""

from confluent_kafka import KafkaError, KafkaException

from collector.ports import KafkaRefused, KafkaUnreachable

REFUSED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
    }
)
NO_SUCH_PARTITION = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._NOENT,  # "no leaders found": what ListOffsets says when nothing it was asked for exists
    }
)
NO_SUCH_OFFSET = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION})


def translated(error: KafkaException | KafkaError) -> KafkaRefused | KafkaUnreachable:
    """Our error for librdkafka's: refused when a right or a password is missing, unreachable for all else."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    code, text = (cause.code(), cause.str()) if isinstance(cause, KafkaError) else (None, str(cause))
    if code in REFUSED:
        return KafkaRefused(f"Kafka refused: {text}")
    return KafkaUnreachable(f"Kafka did not answer: {text}")
