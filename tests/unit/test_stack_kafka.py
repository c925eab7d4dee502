"""The embedded broker's configuration."""

from pathlib import Path

import pytest

from stack.kafka import Kafka, drawn_cluster_id, embedded, escaped


def broker(folder: Path, *, asks_password: bool) -> Kafka:
    return embedded(folder, jars=(), start_cache=folder / "none", ports=(1001, 1002), asks_password=asks_password)


def properties(kafka: Kafka) -> dict[str, str]:
    return dict(line.split("=", 1) for line in kafka.configuration().splitlines())


def test_s65_with_a_password_every_listener_asks_for_it_and_strangers_may_do_nothing(tmp_path: Path) -> None:
    found = properties(broker(tmp_path / "kafka", asks_password=True))
    assert found["listener.security.protocol.map"] == "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert found["authorizer.class.name"].endswith("StandardAuthorizer")
    assert found["allow.everyone.if.no.acl.found"] == "false"
    assert found["super.users"] == "User:broker;User:weir"
    assert "user_weir" not in found["listener.name.controller.plain.sasl.jaas.config"]


@pytest.mark.parametrize("asks_password", [True, False])
def test_s65_it_listens_on_the_loopback_only(tmp_path: Path, asks_password: bool) -> None:
    found = properties(broker(tmp_path / "kafka", asks_password=asks_password))
    assert found["listeners"] == "CLIENTS://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002"


def test_s65_the_command_line_holds_no_password(tmp_path: Path) -> None:
    kafka = broker(tmp_path / "kafka", asks_password=True)
    assert kafka.password is not None
    assert not [part for part in kafka.parts(env={}) if kafka.password in " ".join(part.argv)]


def test_clients_get_ready_properties(tmp_path: Path) -> None:
    assert broker(tmp_path / "plain", asks_password=False).client == {"bootstrap.servers": "127.0.0.1:1001"}
    client = broker(tmp_path / "kafka", asks_password=True).client
    assert (client["security.protocol"], client["sasl.username"]) == ("SASL_PLAINTEXT", "weir")


def test_a_cluster_id_never_looks_like_an_option() -> None:
    drawn = {drawn_cluster_id() for _ in range(2_000)}
    assert len(drawn) == 2_000
    assert not [one for one in drawn if one.startswith("-") or len(one) != 22]


def test_a_path_with_backslashes_survives_java_properties() -> None:
    assert escaped("a\\b\nc") == "a\\\\b\\nc"
