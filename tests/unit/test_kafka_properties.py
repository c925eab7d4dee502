"""Settings -> librdkafka properties, and where secrets come from."""

import os
from pathlib import Path

import pytest

from collector.config.clusters import Cluster
from collector.kafka.properties import Access, properties, resolved, sending
from collector.kafka.secrets import secret
from collector.ports import KafkaRefused

PLAIN = {"bootstrap.servers", "client.id", "reconnect.backoff.max.ms", "log.connection.close"}
PROTOCOL = {"security.protocol"}
TLS = PROTOCOL | {"enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm"}
CERTIFICATE = {"ssl.ca.pem", "ssl.certificate.pem", "ssl.key.pem", "ssl.key.password"}
PASSWORD = {"sasl.mechanism", "sasl.username", "sasl.password"}
OIDC = {"sasl.mechanism"} | {
    f"sasl.oauthbearer.{name}" for name in ("method", "token.endpoint.url", "client.id", "client.secret", "scope")
}
BY_NAME = Access("127.0.0.1:9092", sasl="plain", username="u", password="p")
BY_SCRAM = Access("kafka:9092", sasl="scram-sha-512", username="u", password="p")
BY_TOKEN = Access("a:1", tls=True, sasl="oauthbearer", token_url="t", client_id="c", client_secret="s", scope="k")


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access("kafka:9092"), PLAIN),
        (Access("kafka:9093", tls=True), PLAIN | TLS),
        (Access("kafka:9093", tls=True, ca="c", certificate="d", key="e", key_password="f"), PLAIN | TLS | CERTIFICATE),
        (BY_NAME, PLAIN | PROTOCOL | PASSWORD),
        (BY_SCRAM, PLAIN | PROTOCOL | PASSWORD),
        (BY_TOKEN, PLAIN | TLS | OIDC),
    ],
)
def test_s50_each_way_to_sign_in_sets_exactly_these_properties(access: Access, expected: set[str]) -> None:
    assert set(properties(access)) == expected


@pytest.mark.parametrize("sasl", ["plain", "oauthbearer"])
def test_e208_what_could_be_used_again_by_a_listener_is_not_sent_in_clear(sasl: str) -> None:
    with pytest.raises(KafkaRefused, match="needs TLS"):
        properties(Access("127.0.0.1:1,kafka:9092", sasl=sasl, username="u", password="p"))


def test_secrets_are_in_no_text_of_an_access() -> None:
    shown = repr(
        Access("a:1", ca="s-1", key="s-2", key_password="s-3", password="s-4", token_url="s-5", client_secret="s-6")
    )
    assert "s-" not in shown


def test_s46_retries_are_sent_as_the_user_that_the_cluster_names_for_them(tmp_path: Path) -> None:
    cluster = Cluster(
        "prod", ("kafka:9093",), tls=True, sasl="plain", username="reads", password="env:WEIR_SECRET_READS",
        retry_username="writes", retry_password="env:WEIR_SECRET_WRITES",
    )  # fmt: skip
    environ = {"WEIR_SECRET_READS": "r", "WEIR_SECRET_WRITES": "w", "WEIR_SECRET_WRITES_FOR": "kafka:9093"}
    reads = resolved(cluster, folder=tmp_path, environ=environ)
    assert (reads.username, reads.password) == ("reads", "r")
    sends = sending(reads, cluster, folder=tmp_path, environ=environ)
    assert (sends.username, sends.password, sends.sasl, sends.tls) == ("writes", "w", "plain", True)
    with pytest.raises(KafkaRefused, match="not meant for"):
        sending(reads, cluster, folder=tmp_path, environ={**environ, "WEIR_SECRET_WRITES_FOR": "other:9093"})


def test_s48_a_reference_leads_to_a_variable_its_file_or_a_file_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("of the folder\n")
    (tmp_path / "elsewhere").write_text("of a file")
    environ = {"WEIR_SECRET_A": "of a variable", "WEIR_SECRET_B_FILE": str(tmp_path / "elsewhere")}
    for reference, expected in {
        "env:WEIR_SECRET_A": "of a variable",
        "env:WEIR_SECRET_B": "of a file",
        "file:ca.pem": "of the folder",
        "": "",
    }.items():
        assert secret(reference, folder=tmp_path, destinations=["k:1"], environ=environ) == expected


@pytest.mark.parametrize(
    "name", ["env:WEIR_SECRET_NONE", "env:PATH", "file:missing", "file:link", "file:big", "file:folder", "file:pipe"]
)
def test_s48_what_is_missing_and_what_is_refused_answer_alike(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "big").write_text("x" * 64_001)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(KafkaRefused) as refused:
        secret(name, folder=folder, destinations=["k:1"], environ={"PATH": "/bin"})
    assert str(refused.value).endswith(
        "cannot be used. Set the variable, or put a file of at most 64 kB into WEIR_SECRETS_DIR, for this process."
    )


def test_s49_a_secret_bound_to_brokers_goes_to_no_other(tmp_path: Path) -> None:
    environ = {"WEIR_SECRET_P": "password", "WEIR_SECRET_P_FOR": "kafka-1:9093, kafka-2:9093"}
    cluster = Cluster("prod", ("kafka-1:9093",), tls=True, sasl="plain", username="u", password="env:WEIR_SECRET_P")
    assert resolved(cluster, folder=tmp_path, environ=environ).password == "password"
    rogue = Cluster(
        "prod", ("kafka-1:9093", "rogue:9093"), tls=True, sasl="plain", username="u", password="env:WEIR_SECRET_P"
    )
    with pytest.raises(KafkaRefused, match="not meant for rogue:9093"):
        resolved(rogue, folder=tmp_path, environ=environ)
