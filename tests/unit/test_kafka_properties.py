"""Settings -> librdkafka properties, and where secrets come from."""

import os
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config.clusters import MECHANISMS, Cluster
from collector.config.document import read
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


ALLOWED = PLAIN | TLS | CERTIFICATE | PASSWORD | OIDC
EVIL = (
    "plugin.library.paths", "ssl.engine.location", "ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
    "ssl.keystore.location", "ssl.crl.location", "ssl.providers", "sasl.kerberos.kinit.cmd", "sasl.kerberos.keytab",
    "debug", "enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm", "bootstrap.servers",
    "properties", "librdkafka", "client.id", "sasl.oauthbearer.token.endpoint.url", "http_proxy",
)  # fmt: skip
NAMES = tuple(each.name for each in fields(Cluster) if each.name not in {"name", "environment", "default"})
VALUES = (
    st.text(max_size=40)
    | st.booleans()
    | st.sampled_from((*MECHANISMS, "env:WEIR_SECRET_A", "file:a.pem", "https://id.example/token", "k:9093,[::1]:1"))
    | st.sampled_from([f"x\n{each}=/tmp/evil.so" for each in EVIL])
)
TABLES = st.dictionaries(st.sampled_from(NAMES), VALUES) | st.builds(
    lambda declared, evil: declared | evil,
    st.dictionaries(st.sampled_from(NAMES), VALUES),
    st.dictionaries(st.sampled_from(EVIL) | st.text(min_size=1, max_size=20), VALUES, max_size=3),
)
ACCESSES = st.builds(
    Access,
    bootstrap=st.sampled_from(["kafka:9093", "127.0.0.1:1"]) | st.text(),
    tls=st.booleans(),
    sasl=st.sampled_from(["", *MECHANISMS]),
    **{each.name: st.text(max_size=20) for each in fields(Access) if each.name not in {"bootstrap", "tls", "sasl"}},
)


def sets_nothing_else(access: Access) -> None:
    try:
        found = properties(access)
    except KafkaRefused:
        return
    assert found.keys() <= ALLOWED
    assert found.get("enable.ssl.certificate.verification", "true") == "true"
    assert found.get("ssl.endpoint.identification.algorithm", "https") == "https"
    assert found.get("client.id") == "weir"


@given(ACCESSES)
def test_s50_no_value_sets_another_property_or_one_that_is_fixed(access: Access) -> None:
    sets_nothing_else(access)


@given(TABLES)
def test_s50_no_table_of_a_settings_file_leads_to_a_property_of_its_own(table: dict[str, str | bool]) -> None:
    document, problems = read({"clusters": {"prod": table}})
    unknown = table.keys() - {each.name for each in fields(Cluster)[1:]}
    assert len([each for each in problems if "is not known" in each.sentence]) == len(unknown)
    for cluster in document.clusters.values():
        with suppress(KafkaRefused):  # a file that is not there
            access = resolved(cluster, folder=Path("/nonexistent"), environ={"WEIR_SECRET_A": "https://id.example"})
            sets_nothing_else(access)


def test_s50_what_the_fuzz_may_bring_brings_a_cluster_through_to_the_end() -> None:
    table = {"bootstrap": "k:9093", "tls": True, "sasl": "oauthbearer", "token_url": "env:WEIR_SECRET_A"} | {
        "client_id": "c", "client_secret": "env:WEIR_SECRET_A", "scope": "x\nplugin.library.paths=/tmp/evil.so",
    }  # fmt: skip
    document, problems = read({"clusters": {"prod": table}})
    assert problems == ()
    access = resolved(document.clusters["prod"], folder=Path("/nonexistent"), environ={"WEIR_SECRET_A": "s"})
    assert set(properties(access)) == PLAIN | TLS | OIDC


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
