"""What a person may set for the stack, and what is handed to whom."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stack.environment import plain_settings, server_environment
from stack.ports import taken_message
from stack.problems import CannotStart
from stack.settings import Observed, Settings, read
from stack.weir_parts import GRANTS, Addresses, Weir


def test_the_message_for_a_taken_port_names_it_and_the_setting() -> None:
    message = taken_message("127.0.0.1", 8000, "WEIR_HTTP_PORT")
    assert "Port 8000 on 127.0.0.1 is taken" in message
    assert "WEIR_HTTP_PORT=8001" in message


def test_the_defaults_are_those_of_the_manual() -> None:
    settings = read({}, demo=False)
    assert (settings.url, settings.cluster_name) == ("http://127.0.0.1:8000", "local")
    assert settings.needed_ports == {
        "WEIR_HTTP_PORT": ("127.0.0.1", 8000),
        "WEIR_OTLP_HTTP_PORT": ("127.0.0.1", 4318),
        "WEIR_OTLP_GRPC_PORT": ("127.0.0.1", 4317),
        "WEIR_KAFKA_PORT": ("127.0.0.1", 19092),
    }
    assert read({}, demo=True).cluster_name == "demo"


@pytest.mark.parametrize("port", ["eighty", "-1", "65536", "80 80", "٨٠"])
def test_a_port_that_is_none_is_refused_by_name(port: str) -> None:
    with pytest.raises(CannotStart, match="WEIR_HTTP_PORT"):
        read({"WEIR_HTTP_PORT": port}, demo=False)


def test_port_zero_means_any_free_one() -> None:
    assert read({"WEIR_HTTP_PORT": "0"}, demo=False).http_port > 1024


def test_a_kafka_of_ones_own_is_not_for_the_demo() -> None:
    with pytest.raises(CannotStart, match="make up"):
        read({"WEIR_KAFKA_BOOTSTRAP": "kafka:9092"}, demo=True)


def test_the_embedded_broker_stays_for_the_spool_when_only_the_observed_kafka_is_given(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("of the observed\n")
    given = {
        "WEIR_KAFKA_BOOTSTRAP": "kafka:9093",
        "WEIR_KAFKA_USERNAME": "reader",
        "WEIR_KAFKA_PASSWORD_FILE": str(password),
        "WEIR_KAFKA_TLS": "1",
    }
    settings = read(given, demo=False)
    assert settings.observed == Observed("kafka:9093", "reader", "of the observed", tls=True)
    assert settings.needs_broker
    assert not read({**given, "WEIR_SPOOL_BOOTSTRAP": "other:9092"}, demo=False).needs_broker


def test_a_spool_elsewhere_signs_in_as_the_observed_kafka_unless_it_says_otherwise() -> None:
    given = {
        "WEIR_KAFKA_BOOTSTRAP": "kafka:9093",
        "WEIR_KAFKA_USERNAME": "reader",
        "WEIR_KAFKA_PASSWORD": "one",
        "WEIR_KAFKA_TLS": "1",
        "WEIR_SPOOL_BOOTSTRAP": "other:9093",
    }
    assert read(given, demo=False).spool == Observed("other:9093", "reader", "one", tls=True)
    own = {**given, "WEIR_SPOOL_USERNAME": "writer", "WEIR_SPOOL_PASSWORD": "two"}
    assert read(own, demo=False).spool == Observed("other:9093", "writer", "two", tls=True)
    plain = {**given, "WEIR_SPOOL_TLS": "0", "WEIR_SPOOL_SASL": "none"}
    assert read(plain, demo=False).spool == Observed("other:9093", None, None, tls=False, sasl="none")


def made_of(environ: dict[str, str], folder: Path) -> Weir:
    """What `make up` would start, with an embedded broker that asks for a password."""
    (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
    settings = read(environ, demo=False)
    own = Observed("127.0.0.1:19092", "weir", "of the embedded", tls=False)
    observed, spool = settings.observed or own, settings.spool or own
    addresses = Addresses("postgresql://weir@h/weir", "redis://h/0", observed, spool, settings.observed is None)
    return Weir(settings=settings, addresses=addresses, data=folder, page_libraries=folder, environ=environ)


def signed_in_as(environment: dict[str, str], family: str) -> dict[str, Any]:
    """How a process with this environment reaches the observed Kafka, or the spool's."""
    program = (
        "import dataclasses, json\nfrom collector.observing import environment\n"
        f"print(json.dumps(dataclasses.asdict(environment({family!r}))))"
    )
    needed = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**environment, **needed}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


OBSERVED = {
    "WEIR_KAFKA_BOOTSTRAP": "kafka:9093",
    "WEIR_KAFKA_USERNAME": "reader",
    "WEIR_KAFKA_PASSWORD": "one",
    "WEIR_KAFKA_SASL": "scram-sha-512",
    "WEIR_KAFKA_TLS": "1",
}


def test_a_collector_reads_an_embedded_spool_beside_an_observed_kafka_with_tls_and_scram(tmp_path: Path) -> None:
    environment = made_of(OBSERVED, tmp_path).environment_of("collect")
    observed, spool = signed_in_as(environment, "KAFKA"), signed_in_as(environment, "SPOOL")
    assert (observed["tls"], observed["sasl"], observed["username"]) == (True, "scram-sha-512", "reader")
    assert (spool["tls"], spool["sasl"], spool["username"]) == (False, "plain", "weir")
    assert (spool["bootstrap"], spool["password"]) == ("127.0.0.1:19092", "of the embedded")


def test_a_receiver_reaches_a_spool_elsewhere_as_the_observed_kafka_is_reached(tmp_path: Path) -> None:
    given = {**OBSERVED, "WEIR_SPOOL_BOOTSTRAP": "other:9093", "WEIR_KAFKA_TLS_CERT": "c", "WEIR_KAFKA_TLS_KEY": "k"}
    spool = signed_in_as(made_of(given, tmp_path).environment_of("receive"), "SPOOL")
    assert (spool["tls"], spool["sasl"], spool["username"]) == (True, "scram-sha-512", "reader")
    assert (spool["certificate"], spool["key"], spool["password"]) == ("c", "k", "one")


def test_a_spool_that_asks_nobody_is_told_no_password_of_the_observed_kafka(tmp_path: Path) -> None:
    given = {**OBSERVED, "WEIR_SPOOL_BOOTSTRAP": "other:9092", "WEIR_SPOOL_TLS": "0", "WEIR_SPOOL_SASL": "none"}
    spool = signed_in_as(made_of(given, tmp_path).environment_of("collect"), "SPOOL")
    assert (spool["tls"], spool["sasl"]) == (False, "")


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(CannotStart, match="DATABASE_URL_FILE"):
        read({"DATABASE_URL_FILE": "/nowhere/at/all"}, demo=False)


@pytest.fixture
def weir(tmp_path: Path) -> Weir:
    (tmp_path / "secrets").mkdir(mode=0o700)
    environ = {
        "PATH": "/bin",
        "WEIR_TAP": "*",
        "WEIR_SECRET_REGISTRY": "hush-registry",
        "WEIR_KAFKA_PASSWORD": "hush-kafka",
        "WEIR_RETRY_PASSWORD_FILE": "/hush-retry",
        "DATABASE_URL": "hush-database",
        "AWS_SECRET_ACCESS_KEY": "hush-other",
    }
    kafka = Observed("127.0.0.1:1", "weir", "hush-kafka", tls=False)
    settings: Settings = read({}, demo=False)
    addresses = Addresses("postgresql://weir:hush-db@h/weir", "redis://:hush-queue@h/0", kafka, kafka, True)
    return Weir(settings=settings, addresses=addresses, data=tmp_path, page_libraries=tmp_path, environ=environ)


@pytest.mark.parametrize("name", sorted(GRANTS))
def test_s65_no_part_has_a_secret_in_its_environment_only_names_of_files(weir: Weir, name: str) -> None:
    environment = weir.environment_of(name)
    named = {"WEIR_SECRET_REGISTRY"} if "named_secrets" in GRANTS[name] else set()
    assert {key for key, value in environment.items() if "hush-" in value and not key.endswith("_FILE")} == named


def test_s65_the_web_process_gets_no_kafka_credential_and_the_folder_only_the_database(weir: Weir) -> None:
    web, fold = weir.environment_of("web"), weir.environment_of("fold")
    assert not {key for key in web if key.startswith(("WEIR_KAFKA_PASS", "WEIR_KAFKA_USER", "WEIR_SPOOL_PASS"))}
    assert {key for key in fold if key.endswith("_FILE")} == {"DATABASE_URL_FILE"}
    assert [name for name in GRANTS if "WEIR_RETRY_PASSWORD_FILE" in weir.environment_of(name)] == ["worker"]
    assert fold["WEIR_TAP"] == "*"


def test_whoever_serves_metrics_is_told_their_token(tmp_path: Path) -> None:
    weir = made_of({"WEIR_METRICS_TOKEN": "m"}, tmp_path)
    told = {name for name in GRANTS if "WEIR_METRICS_TOKEN" in weir.environment_of(name)}
    assert told == {"receive", "collect", "fold", "sample", "web", "worker"}


def test_s66_secrets_handed_over_by_file_are_for_us_alone(weir: Weir) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in weir.secrets.iterdir()}
    assert modes == dict.fromkeys(("database_url", "broker_url", "kafka_password", "spool_password"), 0o600)


def test_s65_servers_and_the_shop_see_no_setting_of_weir() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "WEIR_TAP": "*", "DATABASE_URL": "x", "PGPASSWORD": "x"}
    assert server_environment(environ) == {"PATH": "/bin", "LC_ALL": "C"}


def test_settings_pass_on_but_secrets_do_not() -> None:
    environ = {"WEIR_TAP": "*", "WEIR_SECRET_A": "x", "WEIR_SECRETS_DIR": "/x", "WEIR_KAFKA_PASSWORD_FILE": "/x"}
    assert plain_settings(environ) == {"WEIR_TAP": "*"}
