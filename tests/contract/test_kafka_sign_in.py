"""Every way to sign in, against a real Apache Kafka that asks for it."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs do not re-export what it imports
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from collector.config.clusters import Cluster
from collector.kafka.metadata import AdminMetadata
from collector.kafka.properties import Access, properties, resolved
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.spool import make_spool
from collector.ports import KafkaRefused, KafkaUnreachable, Outgoing
from stack import cache, kafka, places
from stack.environment import server_environment
from stack.ports import free_port
from stack.supervisor import Supervisor
from tests.certificates import Authority, Pair

pytestmark = pytest.mark.kafka

PASSWORD, ITERATIONS = "s3cret-of-weir", 4_096
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
TOKENS = (
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="b";'
)
LISTENERS = {"TLS": "SSL", "SCRAM": "SASL_SSL", "TOKEN": "SASL_SSL"}


@dataclass(frozen=True)
class SecureKafka(kafka.Kafka):
    """The embedded broker with listeners that ask for certificates, passwords and tokens."""

    more: str = ""

    def configuration(self) -> str:
        """Of a name given twice, the last one counts."""
        return super().configuration() + self.more


@dataclass(frozen=True)
class Secured:
    """Where each listener is, and what opens it."""

    ports: dict[str, int]
    authority: Authority
    client: Pair
    token_url: str

    def access(self, listener: str) -> Access:
        """TLS, and nothing else yet."""
        return Access(f"127.0.0.1:{self.ports[listener]}", tls=True, ca=self.authority.certificate)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    place = places.made_data_folder(folder / "servers")
    authority = Authority()
    ports = {name: free_port() for name in ("CLIENTS", "CONTROLLER", *LISTENERS)}
    fetched = cache.filled({}, say=lambda _: None)
    broker = SecureKafka(
        folder=places.made_private(place / "kafka"),
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        port=ports["CLIENTS"],
        controller_port=ports["CONTROLLER"],
        asks_password=False,
        settings={},
        more=settings(ports, authority, authority.signed("kafka")),
    )
    supervisor = Supervisor(
        broker.parts(env=server_environment({})), places.made_private(place / "logs"), say=lambda _: None
    )
    tokens = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    try:
        supervisor.start()
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            change = UserScramCredentialUpsertion("weir", ScramCredentialInfo(mechanism, ITERATIONS), PASSWORD.encode())
            for done in admin.alter_user_scram_credentials([change]).values():
                done.result(timeout=10)
        yield Secured(ports, authority, authority.signed("weir"), f"http://127.0.0.1:{tokens.server_address[1]}/token")
    finally:
        tokens.shutdown()
        tokens.server_close()
        supervisor.stop()


def settings(ports: dict[str, int], authority: Authority, own: Pair) -> str:
    """What is added to server.properties."""
    clients = ("CLIENTS", *LISTENERS)
    at = [f"{name}://127.0.0.1:{ports[name]}" for name in clients]
    protocols = {"CLIENTS": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **LISTENERS}
    lines = {
        "listeners": ",".join([*at, f"CONTROLLER://127.0.0.1:{ports['CONTROLLER']}"]),
        "advertised.listeners": ",".join(at),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.key": own.key,
        "ssl.keystore.certificate.chain": own.certificate,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": authority.certificate,
        "listener.name.tls.ssl.client.auth": "required",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": SCRAM,
        "listener.name.scram.scram-sha-512.sasl.jaas.config": SCRAM,
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config": TOKENS,
    }
    return "".join(f"{name}={kafka.escaped(value)}\n" for name, value in lines.items())


class Tokens(BaseHTTPRequestHandler):
    """An identity provider that knows one client."""

    def do_POST(self) -> None:
        """A token without a signature, which the broker's development handler accepts."""
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if given != f"weir:{PASSWORD}":
            self.send_error(401)
            return
        now = int(time.time())
        claims = {"sub": "weir", "iat": now, "exp": now + 3_600, "scope": "kafka"}
        parts = [
            base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=")
            for each in ({"alg": "none"}, claims)
        ]
        body = json.dumps(
            {"access_token": ".".join([*parts, ""]), "token_type": "Bearer", "expires_in": 3_600}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def works(access: Access) -> None:
    """The cluster is seen, a topic is made in it, and a record gets there."""
    where = properties(access)
    make_spool(where, "weir.spool")
    assert "weir.spool" in AdminMetadata(where).overview().leaders
    publisher = KafkaPublisher(where)
    assert publisher.publish(Outgoing("weir.spool", b"k", b"v", ())).result(timeout=20).topic == "weir.spool"
    publisher.close(wait_seconds=1)


def are_refused(*accesses: Access) -> None:
    """None of them gets to see anything, each asked at the same time."""
    with ThreadPoolExecutor(len(accesses)) as pool:
        asked = [pool.submit(lambda each: AdminMetadata(properties(each)).overview(), access) for access in accesses]
    assert [
        type(each.exception()) for each in asked if not isinstance(each.exception(), KafkaRefused | KafkaUnreachable)
    ] == []


def test_a_client_certificate_opens_and_its_key_may_be_encrypted(secured: Secured) -> None:
    works(replace(secured.access("TLS"), certificate=secured.client.certificate, key=secured.client.key))
    locked = secured.authority.signed("weir", key_password="of the key")
    works(replace(secured.access("TLS"), certificate=locked.certificate, key=locked.key, key_password="of the key"))


def test_without_a_certificate_or_with_a_strangers_nothing_opens(secured: Secured) -> None:
    stranger = Authority().signed("weir")
    are_refused(
        secured.access("TLS"),
        replace(secured.access("TLS"), certificate=stranger.certificate, key=stranger.key),
    )


@pytest.mark.parametrize("sasl", ["scram-sha-256", "scram-sha-512"])
def test_scram_opens_and_a_wrong_password_is_refused(secured: Secured, sasl: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(secured.authority.certificate)
    declared = Cluster(
        "prod",
        (f"127.0.0.1:{secured.ports['SCRAM']}",),
        tls=True,
        ca="file:ca.pem",
        sasl=sasl,
        username="weir",
        password="env:WEIR_SECRET_KAFKA",
    )
    access = resolved(declared, folder=tmp_path, environ={"WEIR_SECRET_KAFKA": PASSWORD})
    works(access)
    are_refused(replace(access, password="wrong"))


def test_s49_a_broker_with_a_foreign_certificate_or_another_name_gets_no_password(
    secured: Secured,
) -> None:
    access = replace(secured.access("SCRAM"), sasl="scram-sha-512", username="weir", password=PASSWORD)
    are_refused(
        replace(access, ca=Authority().certificate),
        replace(access, ca=""),
        replace(access, bootstrap=access.bootstrap.replace("127.0.0.1", "localhost")),
    )


def test_a_token_from_the_identity_provider_opens(secured: Secured) -> None:
    access = replace(
        secured.access("TOKEN"),
        sasl="oauthbearer",
        token_url=secured.token_url,
        client_id="weir",
        client_secret=PASSWORD,
        scope="kafka",
    )
    works(access)
    are_refused(replace(access, client_secret="wrong"))
