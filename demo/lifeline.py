"""Notices a client that is cut off for good although Kafka is there.

librdkafka since 2.10 forgets all brokers, those of bootstrap.servers too, when a broker that is just coming back
answers a metadata request with an empty list of brokers; the client never connects again, and need not say so
(https://github.com/confluentinc/librdkafka/issues/5301, open as of 2.16). Only a new client helps.
"""

import logging
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

PROBE_EVERY_SECONDS = 10.0
ANSWER_SECONDS = 2.0
MOST_UNANSWERED = 3  # probes in a row: on a busy machine one client may have to wait while another is answered

log = logging.getLogger(__name__)


class CutOff(RuntimeError):
    """The client has lost Kafka for good, while others reach it."""


def heard(error: KafkaError) -> None:
    """The error callback of a client: says what is wrong with it as a whole."""
    log.warning("%s", error)


class Lifeline:
    """For one client; `check` belongs into its loop."""

    def __init__(self, bootstrap: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bootstrap = bootstrap
        self._monotonic = monotonic
        self._next_probe = monotonic() + PROBE_EVERY_SECONDS
        self._n_unanswered = 0

    def check(self, client: Consumer | Producer) -> None:
        """Ask Kafka through the client, every ten seconds.

        Raises CutOff when three times in a row a new client was answered and this one was not.
        """
        if self._monotonic() < self._next_probe:
            return
        is_cut_off = not _answered(client) and _answered(
            AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        )
        self._n_unanswered = self._n_unanswered + 1 if is_cut_off else 0
        if self._n_unanswered == MOST_UNANSWERED:
            raise CutOff("Kafka answers others")
        self._next_probe = self._monotonic() + PROBE_EVERY_SECONDS


def _answered(client: Consumer | Producer | AdminClient) -> bool:
    try:
        return bool(client.list_topics(timeout=ANSWER_SECONDS).brokers)
    except KafkaException:
        return False
