"""Everything one start consists of: folders, servers, addresses, parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack import kafka, places, postgres, secret_files, valkey
from stack.cache import Cache
from stack.environment import server_environment
from stack.part import Part
from stack.ports import LOOPBACK, free_port
from stack.settings import Observed, Settings
from stack.start_cache import training
from stack.weir_parts import Addresses, Weir

DEMO_KAFKA_SETTINGS = {"log.retention.hours": "24", "log.segment.bytes": "67108864"}


@dataclass(frozen=True)
class Plan:
    """What is going to run."""

    settings: Settings
    data: Path
    weir: Weir
    parts: tuple[Part, ...]
    kafka_client: Mapping[str, str]  # librdkafka properties of the observed cluster

    @property
    def otlp_http(self) -> str:
        """Where services send OTLP over HTTP."""
        return self.settings.otlp_http

    @property
    def otlp_grpc(self) -> str:
        """Where services send OTLP over gRPC."""
        return f"{LOOPBACK}:{self.settings.otlp_grpc_port}"


def planned(settings: Settings, *, data: Path, cache: Cache, environ: Mapping[str, str]) -> Plan:
    """The plan for a data folder that is ours; makes its sub-folders and secrets, starts nothing."""
    for name in ("secrets", "ready"):
        places.made_private(data / name)
    secret_files.kept_secret(data / "secrets" / "secret_key")
    common = server_environment(environ)
    store = None if settings.database_url else _store(data / "pg")
    queue = None if settings.broker_url else valkey.embedded(data / "valkey", port=free_port())
    broker = _broker(settings, data=data, cache=cache) if settings.needs_broker else None
    addresses = _addresses(settings, store=store, queue=queue, broker=broker)
    weir = Weir(settings=settings, addresses=addresses, data=data, page_libraries=cache.page_libraries, environ=environ)

    servers = tuple(part for server in (store, queue, broker) if server for part in server.parts(env=common))
    running = tuple(part.name for part in servers if not part.once)
    parts = (*servers, *weir.parts(servers=running))
    if settings.demo:
        from stack import shop  # an installation of `make up` alone may lack demo/

        bootstrap = addresses.observed.bootstrap
        parts += shop.parts(
            data=data, bootstrap=bootstrap, otlp_http=settings.otlp_http, environ=environ, common=common
        )
    if broker and not cache.start_cache.exists():
        parts += (training(cache, data=data, env=common, after=tuple(part.name for part in parts)),)
    client = broker.client if broker and not settings.observed else _client(addresses.observed)
    return Plan(settings=settings, data=data, weir=weir, parts=parts, kafka_client=client)


def _store(state: Path) -> postgres.Postgres:
    shared = {"shared_buffers": postgres.buffers(psutil.virtual_memory().total)}
    return postgres.embedded(state, port=free_port(), settings=shared)


def _broker(settings: Settings, *, data: Path, cache: Cache) -> kafka.Kafka:
    return kafka.embedded(
        data / "kafka",
        jars=cache.kafka_jars,
        start_cache=cache.start_cache,
        ports=(settings.kafka_port, free_port()),
        asks_password=not settings.demo,
        settings=DEMO_KAFKA_SETTINGS if settings.demo else None,
    )


def _addresses(
    settings: Settings,
    *,
    store: postgres.Postgres | None,
    queue: valkey.Valkey | None,
    broker: kafka.Kafka | None,
) -> Addresses:
    own = Observed(broker.bootstrap, broker.user, broker.password, tls=False) if broker else None
    observed, spool = settings.observed or own, settings.spool or own
    database_url = store.url if store else settings.database_url
    broker_url = queue.url if queue else settings.broker_url
    if not (observed and spool and database_url and broker_url):
        raise AssertionError("a server that is not embedded was given")
    return Addresses(
        database_url=database_url,
        broker_url=broker_url,
        observed=observed,
        spool=spool,
        observed_is_embedded=observed is own,
    )


def _client(kafka_elsewhere: Observed) -> dict[str, str]:
    """librdkafka properties for a Kafka that is not ours."""
    found = {"bootstrap.servers": kafka_elsewhere.bootstrap}
    if kafka_elsewhere.tls:
        found["security.protocol"] = "SSL"
    if kafka_elsewhere.username is None:
        return found
    return {
        **found,
        "security.protocol": "SASL_SSL" if kafka_elsewhere.tls else "SASL_PLAINTEXT",
        "sasl.mechanism": kafka_elsewhere.sasl.upper(),
        "sasl.username": kafka_elsewhere.username,
        "sasl.password": kafka_elsewhere.password or "",
    }
