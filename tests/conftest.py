"""What all tests share: real servers, started once and only when asked for, and clean tables."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from collector.config.rules import standing
from collector.domain.masking import Rules
from stack.testing import Servers, servers

_DICTIONARIES = {
    "cluster", "service", "service_version", "source", "topic", "consumer_group", "edge", "span_name",
    "attribute_set", "key_name",
}  # fmt: skip
_HERE = Path(__file__).parent
_ORDER = ("house", "unit", "contract", "integration", "acceptance", "browser")
_ORDER_BESIDE_EACH_OTHER = ("house", "unit", "browser", "acceptance", "contract", "integration")
_KEPT = {"mask_key", "fold_state", "declaration", "fingerprint_state", "service_fact_state"}


def pytest_configure() -> None:
    """A key for sessions and signatures, which the environment gives none to tests; property tests without a clock.

    gRPC looks after its threads in every child that is forked, also in one that is a server a moment later, and aborted
    one: "epoll_wait error: Bad file descriptor". It reads this when it is loaded.
    """
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    hypothesis.settings.register_profile(
        "untimed",
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("untimed")
    settings.SECRET_KEY = "only-for-tests-0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """The fast ones first; on several workers what takes longest comes second."""
    yield  # to the plugins, which have an order of their own
    order = _ORDER_BESIDE_EACH_OTHER if "PYTEST_XDIST_WORKER" in os.environ else _ORDER
    items.sort(key=lambda item: order.index(_room(item)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by how many they are: what packs them may write the time in, and workers must agree on names."""
    return f"{argname}_{len(val)}_bytes" if isinstance(val, bytes) else None


class _Files(LoadFileScheduling):  # type: ignore[misc]
    """A file on one worker; all journeys on one: they share a running shop."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Files:
    """Who runs what, with `-n`."""
    return _Files(config, log)


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).parts[0]


@pytest.fixture(autouse=True)
def no_rules() -> None:
    """No mask rules stand, and nobody asks the database for them: tests of rules say otherwise."""
    standing.pin(Rules(), seconds=86_400)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A real PostgreSQL."""
    with servers(tmp_path_factory.mktemp("postgres"), kafka=False, valkey=False) as started:
        yield started


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A real PostgreSQL, Valkey and Apache Kafka, apart from the database of the other tests."""
    with servers(tmp_path_factory.mktemp("kafka"), kafka=True, valkey=True) as started:
        yield started


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_servers: Servers) -> str:
    """Address of a real Apache Kafka."""
    assert kafka_servers.kafka_bootstrap
    return kafka_servers.kafka_bootstrap


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: Servers) -> None:
    """Point Django at the test server before the test database is made."""
    url = urlsplit(postgres.database_url)
    address = {
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "NAME": url.path.lstrip("/"),
    }
    connection.settings_dict.update(address)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """One leaf for everything under each partitioned table: tests of partitions bring their own."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("select relname from pg_class where relkind = 'p' and relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            cursor.execute(f"create table {table}_all partition of {table} for values from (minvalue) to (maxvalue)")


@pytest.fixture
def clean_tables(transactional_db: None) -> Iterator[None]:
    """For tests that commit: every observation is gone afterwards, what migrations put there stays."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
            " and not relispartition and relname !~ '^(django|auth|dashboard)_'"
        )
        tables = {name for (name,) in cursor.fetchall()} - _KEPT
        cursor.execute("alter table audit_entry disable trigger all")
        cursor.execute(f"truncate {', '.join(sorted(tables - _DICTIONARIES))}")
        cursor.execute("alter table audit_entry enable trigger all")
        for table in ("edge", "source", "service_version", "topic", "consumer_group", "service", "cluster"):
            cursor.execute(f"delete from {table} where id > 0")
        cursor.execute("delete from span_name where id > 0; delete from attribute_set where id > 0")
        cursor.execute("delete from key_name where id > 1")
        cursor.execute("update fingerprint_state set version = 1; update service_fact_state set last_set_id = 0")
        cursor.execute(
            "update fold_state set seq = 0, as_of = null, ran_at = null, tens_since = null, n_waiting = 0,"
            " n_clamped = 0, n_repeated = 0, n_unpaired_dropped = 0"
        )
