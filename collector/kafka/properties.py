"""Address and sign-in -> librdkafka properties that every client of ours starts from.

Each field becomes a fixed property: there is no way from a setting to any other (plugins, programs, engines, files).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from collector.config.clusters import Cluster, is_loopback
from collector.kafka.secrets import secret
from collector.ports import KafkaRefused

MECHANISMS = {"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"}
_IN_CLEAR = frozenset({"plain", "oauthbearer"})  # who listens can sign in with it; SCRAM proves without telling


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one cluster, secrets included: PEM texts, passwords. "" for what is not used.

    `sasl`: "", plain, scram-sha-256, scram-sha-512 or oauthbearer.
    """

    bootstrap: str
    tls: bool = False
    ca: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    key_password: str = field(default="", repr=False)
    sasl: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    token_url: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""


def resolved(cluster: Cluster, *, folder: Path, environ: Mapping[str, str] = os.environ) -> Access:
    """The access that a declared cluster names. Raises KafkaRefused for a secret that cannot be used."""

    def behind(name: str) -> str:
        return secret(getattr(cluster, name), folder=folder, destinations=cluster.bootstrap, environ=environ)

    secrets = {each.name: behind(each.name) for each in fields(Access) if not each.repr}
    return Access(
        bootstrap=",".join(cluster.bootstrap),
        tls=cluster.tls,
        sasl=cluster.sasl,
        username=cluster.username,
        client_id=cluster.client_id,
        scope=cluster.scope,
        **secrets,
    )


def sending(access: Access, cluster: Cluster, *, folder: Path, environ: Mapping[str, str] = os.environ) -> Access:
    """As the user that a declared cluster names for its retries, where it names one. May raise KafkaRefused."""

    def behind(reference: str) -> str:
        return secret(reference, folder=folder, destinations=cluster.bootstrap, environ=environ)

    given: dict[str, Any] = {
        "username": cluster.retry_username,
        "password": behind(cluster.retry_password),
        "certificate": behind(cluster.retry_certificate),
        "key": behind(cluster.retry_key),
        "key_password": behind(cluster.retry_key_password),
    }
    return replace(access, **{name: value for name, value in given.items() if value})


def properties(access: Access) -> dict[str, str | int]:
    """Properties for one cluster. Raises KafkaRefused for a sign-in that would travel in clear text."""
    far = not all(is_loopback(address) for address in access.bootstrap.split(","))
    if access.sasl in _IN_CLEAR and not access.tls and far:
        raise KafkaRefused("A Kafka password beyond loopback needs TLS: set WEIR_KAFKA_TLS=1 (WEIR_SPOOL_TLS=1).")
    found: dict[str, str | int] = {
        "bootstrap.servers": access.bootstrap,
        "client.id": "weir",
        "reconnect.backoff.max.ms": 2_000,
        "log.connection.close": "false",
    }
    protocol = ("SASL_" if access.sasl else "") + ("SSL" if access.tls else "PLAINTEXT")
    if protocol != "PLAINTEXT":
        found["security.protocol"] = protocol
    return found | (_tls(access) if access.tls else {}) | (_sasl(access) if access.sasl else {})


def _tls(access: Access) -> dict[str, str | int]:
    """Certificate and host name are always verified, against `ca` or else the system's authorities."""
    given = {
        "ssl.ca.pem": access.ca,
        "ssl.certificate.pem": access.certificate,
        "ssl.key.pem": access.key,
        "ssl.key.password": access.key_password,
    }
    verified = {"enable.ssl.certificate.verification": "true", "ssl.endpoint.identification.algorithm": "https"}
    return {**verified, **{name: value for name, value in given.items() if value}}


def _sasl(access: Access) -> dict[str, str | int]:
    if access.sasl != "oauthbearer":
        mechanism = MECHANISMS[access.sasl]
        return {"sasl.mechanism": mechanism, "sasl.username": access.username, "sasl.password": access.password}
    scope = {"sasl.oauthbearer.scope": access.scope} if access.scope else {}
    return {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": access.token_url,
        "sasl.oauthbearer.client.id": access.client_id,
        "sasl.oauthbearer.client.secret": access.client_secret,
        **scope,
    }
