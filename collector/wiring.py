"""Builds adapters from settings: the only place where they meet the core."""

from django.conf import settings

from collector.kafka.metadata import AdminMetadata
from collector.kafka.properties import properties
from collector.ports import BrokerMetadata


def observed_properties() -> dict[str, str | int]:
    """librdkafka properties of the observed cluster. Raises KafkaRefused for a password in clear text."""
    return properties(
        settings.WEIR_KAFKA_BOOTSTRAP,
        username=settings.WEIR_KAFKA_USERNAME,
        password=settings.WEIR_KAFKA_PASSWORD,
        tls=settings.WEIR_KAFKA_TLS,
    )


def broker_metadata() -> BrokerMetadata:
    """What the observed cluster knows of itself."""
    return AdminMetadata(observed_properties())
