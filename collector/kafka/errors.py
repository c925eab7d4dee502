"""librdkafka's error codes -> errors that name the next move."""

from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaError, KafkaException

from collector.ports import KafkaRefused, KafkaUnreachable, NotGranted

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

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


def answered(future: "Future[T]", *, topic: str, seconds: float = 10.0) -> T | None:
    """What an admin client brings of one topic, or None for an error that says "there is none"."""
    try:
        return future.result(timeout=seconds)
    except KafkaException as error:
        code = error.args[0].code()
        if code in NO_SUCH_PARTITION:
            return None
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise NotGranted(topic) from error
        raise translated(error) from error
    except TimeoutError:
        raise KafkaUnreachable("Kafka did not answer in time.") from None
    except RuntimeError as error:  # the client, of an answer that lacks what was asked for
        raise KafkaUnreachable(f"Kafka's answer is incomplete: {error}") from None
