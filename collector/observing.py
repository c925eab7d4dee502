"""The observed clusters, and what asks their brokers: as much of the wiring as the sampler needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from collector.config import declared
from collector.config.clusters import Cluster
from collector.config.document import Document
from collector.kafka.first_records import KafkaFirstRecords
from collector.kafka.metadata import AdminMetadata
from collector.kafka.properties import Access, properties, resolved, sending
from collector.ports import BrokerMetadata, FirstRecords


@dataclass(frozen=True, slots=True)
class Observed:
    """A cluster that is observed: its shown name, and how to reach it. `declared` None: as the environment says.

    `is_only`: there is no other one.
    """

    name: str
    declared: Cluster | None
    is_only: bool

    @property
    def has_spool(self) -> bool:
        """Whether the spool lies on its brokers."""
        is_environment = self.declared is None or self.declared.environment
        return is_environment and settings.WEIR_KAFKA_BOOTSTRAP == settings.WEIR_SPOOL_BOOTSTRAP

    def reads(self) -> dict[str, str | int]:
        """librdkafka properties, secrets read now. Raises KafkaRefused for an unusable secret, or one in clear text."""
        return properties(self._access())

    def sends(self) -> dict[str, str | int]:
        """The same as the user that sends retries, where there is one beside the user that reads (security: S46).

        What the environment says of that user is for its own cluster, or for the only one: told to no other broker.
        """
        access = self._access()
        if self.declared is not None:
            access = sending(access, self.declared, folder=settings.WEIR_SECRETS_DIR)
        is_environment = self.declared is None or self.declared.environment
        return properties(replace(access, **(_retry_environment() if is_environment or self.is_only else {})))

    def _access(self) -> Access:
        if self.declared is None or self.declared.environment:
            return environment("KAFKA")
        return resolved(self.declared, folder=settings.WEIR_SECRETS_DIR)


def observed(document: Document) -> tuple[Observed, ...]:
    """The clusters that are declared, by name; the environment's where none is."""
    is_only = len(document.clusters) < 2
    found = [Observed(name, cluster, is_only) for name, cluster in sorted(document.clusters.items())]
    return tuple(found) or (Observed(settings.WEIR_CLUSTER_NAME, None, is_only),)


def _retry_environment() -> dict[str, Any]:
    given = {
        "sasl": settings.WEIR_KAFKA_SASL if settings.WEIR_RETRY_USERNAME else "",
        "username": settings.WEIR_RETRY_USERNAME,
        "password": settings.WEIR_RETRY_PASSWORD,
        "certificate": settings.WEIR_RETRY_TLS_CERT,
        "key": settings.WEIR_RETRY_TLS_KEY,
        "key_password": settings.WEIR_RETRY_TLS_KEY_PASSWORD,
    }
    return {name: value for name, value in given.items() if value}


def environment(family: str) -> Access:
    """How the environment says to reach a broker: KAFKA, the observed one, or SPOOL."""

    def given(name: str) -> str:
        return str(getattr(settings, f"WEIR_{family}_{name}"))

    return Access(
        bootstrap=given("BOOTSTRAP"),
        tls=getattr(settings, f"WEIR_{family}_TLS"),
        ca=given("TLS_CA"),
        certificate=given("TLS_CERT"),
        key=given("TLS_KEY"),
        key_password=given("TLS_KEY_PASSWORD"),
        sasl=given("SASL") if given("USERNAME") and given("SASL") != "none" else "",
        username=given("USERNAME"),
        password=given("PASSWORD"),
    )


def broker_metadata(where: Observed) -> BrokerMetadata:
    """What an observed cluster knows of itself. Raises KafkaRefused."""
    return AdminMetadata(where.reads())


def first_records(where: Observed) -> FirstRecords:
    """What lies at a position of an observed cluster. Raises KafkaRefused."""
    return KafkaFirstRecords(where.reads())


def holds_letters() -> Callable[[str], bool]:
    """Whether an admin said of a topic that it holds dead letters."""
    mappings = tuple(declared.document().letters.values())
    return lambda topic: any(each.is_for(topic) for each in mappings)
