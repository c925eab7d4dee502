"""Weir's own processes as parts: what each runs and which secrets it gets."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import places
from stack.environment import plain_settings, server_environment
from stack.part import Part
from stack.settings import Observed, Settings

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (sys.executable, "-u")
MANAGE = (*PYTHON, "manage.py")
_NO_WARNING = ("-W", "ignore:You're running the worker:RuntimeWarning")  # of root: tasks are JSON and hold ids only
NOTHING = r"(?!)"  # a pattern no line matches
NOT_EVERY_TASK = r"^(?!\S+ INFO celery\.)"
CELERY = (*PYTHON, *_NO_WARNING, "-m", "celery", "--quiet", "-A", "dashboard")

# security S65 and boundary B4: the web process holds no Kafka credential, the folder nothing but the database
GRANTS: Mapping[str, tuple[str, ...]] = {
    "migrate": ("database", "secret_key"),
    "api-token": ("database", "secret_key"),
    "sign-in-link": ("database", "secret_key"),
    "receive": ("database", "spool", "otlp_tls", "metrics"),
    "collect": ("database", "kafka", "spool", "named_secrets", "metrics"),
    "fold": ("database", "metrics"),
    "sample": ("database", "kafka", "spool", "named_secrets", "metrics"),
    "web": ("database", "broker", "secret_key", "web_tls", "metrics"),
    "worker": ("database", "broker", "kafka", "retry", "spool", "secret_key", "named_secrets", "metrics"),
    "beat": ("broker",),
}


@dataclass(frozen=True)
class Addresses:
    """Where the servers are, embedded or not, with what it takes to get in."""

    database_url: str
    broker_url: str
    observed: Observed
    spool: Observed
    observed_is_embedded: bool


@dataclass(frozen=True)
class Weir:
    """What all of Weir's processes share."""

    settings: Settings
    addresses: Addresses
    data: Path
    page_libraries: Path
    environ: Mapping[str, str]

    def __post_init__(self) -> None:
        for name, value in self._secrets().items():
            places.write_private(self.secrets / name, value)

    @property
    def secrets(self) -> Path:
        """The folder of secrets; children get the names of the files, not the values."""
        return self.data / "secrets"

    @property
    def token_file(self) -> Path:
        """Where the operator's API token for scripts is kept."""
        return self.secrets / "api_token"

    def _secrets(self) -> dict[str, str]:
        found = {"database_url": self.addresses.database_url, "broker_url": self.addresses.broker_url}
        for name, kafka in (("kafka_password", self.addresses.observed), ("spool_password", self.addresses.spool)):
            if kafka.password is not None:
                found[name] = kafka.password
        return found

    def parts(self, *, servers: tuple[str, ...]) -> tuple[Part, ...]:
        """Migrations, then all that serve; each waits only for those embedded `servers` that it talks to."""
        beat = places.made_private(self.data / "beat") / "schedule"
        concurrency = ("-P", "threads", "-c", "10", "--without-gossip", "--without-mingle", "--loglevel", "INFO")
        token = ("create_token", "stack", "--role", "operator", "--if-missing", "--file", str(self.token_file))
        store, queue, log = (tuple(name for name in servers if name == one) for one in ("postgres", "valkey", "kafka"))
        migrated = ("migrate",)
        return (
            self._part("migrate", (*MANAGE, "migrate", "--no-input"), after=store, once=True),
            self._part("receive", (*MANAGE, "receive"), after=migrated + log),
            self._part("collect", (*MANAGE, "collect"), after=migrated + log),
            self._part("fold", (*MANAGE, "fold"), after=migrated),
            self._part("sample", (*MANAGE, "sample"), after=migrated + log),
            self._part("web", (*MANAGE, "web"), after=migrated + queue),
            self._part("worker", (*CELERY, "worker", *concurrency), after=migrated + queue, notable=NOT_EVERY_TASK),
            self._part("beat", (*CELERY, "beat", "--schedule", str(beat), "--pidfile="), after=migrated + queue),
            self._part("api-token", (*MANAGE, *token), after=migrated, once=True),
            self._part("sign-in-link", (*MANAGE, "sign_in_link"), after=("web",), once=True, notable=NOTHING),
        )

    def _part(
        self, name: str, argv: tuple[str, ...], *, after: tuple[str, ...], once: bool = False, notable: str = ""
    ) -> Part:
        ready_file = ready_file_of(name, data=self.data)
        return Part(
            name=name,
            argv=argv,
            env={**self.environment_of(name), **({} if once else {"WEIR_READY_FILE": str(ready_file)})},
            cwd=ROOT,
            after=after,
            once=once,
            notable=notable,
            prepare=forgets(ready_file),
            ready=announced(ready_file),
        )

    def environment_of(self, name: str) -> dict[str, str]:
        """The whole environment of one process."""
        settings, addresses = self.settings, self.addresses
        shared = {
            "WEIR_DATA_DIR": str(self.data),
            "WEIR_VENDOR_DIR": str(self.page_libraries),
            "WEIR_CLUSTER_NAME": settings.cluster_name,
            "WEIR_HTTP_PORT": str(settings.http_port),
            "WEIR_OTLP_HTTP_PORT": str(settings.otlp_http_port),
            "WEIR_OTLP_GRPC_PORT": str(settings.otlp_grpc_port),
            "WEIR_COLLECT_PORT": str(settings.collect_port),
            "WEIR_KAFKA_BOOTSTRAP": addresses.observed.bootstrap,
            "WEIR_SPOOL_BOOTSTRAP": addresses.spool.bootstrap,
            "WEIR_KAFKA_TLS": "1" if addresses.observed.tls else "0",
            "WEIR_SPOOL_TLS": "1" if addresses.spool.tls else "0",
            "WEIR_EMBEDDED_KAFKA": "1" if addresses.observed_is_embedded else "0",
            "WEIR_DEMO": "1" if settings.demo else "0",
            "WEIR_TAP_PAYLOADS": self.environ.get("WEIR_TAP_PAYLOADS") or ("*" if settings.demo else ""),
        }
        if settings.database_url is None:  # the embedded one, on the disk of our data
            shared["WEIR_DISK_DIR"] = str(self.data)
        if settings.spool is None:  # the embedded one: what is said of the observed Kafka's sign-in is not for it
            shared["WEIR_SPOOL_SASL"] = "plain" if addresses.spool.username else "none"
        granted = self._granted()
        return {
            **server_environment(self.environ),
            **plain_settings(self.environ),
            **shared,
            **{key: value for grant in GRANTS[name] for key, value in granted[grant].items()},
        }

    def _granted(self) -> dict[str, dict[str, str]]:
        return {
            "database": {"DATABASE_URL_FILE": str(self.secrets / "database_url")},
            "broker": {"CELERY_BROKER_URL_FILE": str(self.secrets / "broker_url")},
            "secret_key": {"SECRET_KEY_FILE": str(self.secrets / "secret_key")},
            "kafka": self._sign_in("WEIR_KAFKA", self.addresses.observed, self.secrets / "kafka_password"),
            "spool": self._sign_in("WEIR_SPOOL", self.addresses.spool, self.secrets / "spool_password"),
            "retry": self._named("WEIR_RETRY_"),
            "otlp_tls": self._named("WEIR_OTLP_TLS_KEY"),
            "web_tls": self._named("WEIR_TLS_KEY"),
            "metrics": self._named("WEIR_METRICS_TOKEN"),
            "named_secrets": {
                name: value
                for name, value in self.environ.items()
                if name.startswith(("WEIR_SECRET_", "WEIR_SECRETS_"))
            },
        }

    def _named(self, beginning: str) -> dict[str, str]:
        return {name: value for name, value in self.environ.items() if name.startswith(beginning)}

    def _sign_in(self, family: str, kafka: Observed, password_file: Path) -> dict[str, str]:
        keys = self._named(f"{family}_TLS_KEY")
        if self.settings.spool and not keys:  # a spool elsewhere has what is not said of it from the observed Kafka
            keys = self._named("WEIR_KAFKA_TLS_KEY")
        if kafka.username is None:
            return keys
        return {**keys, f"{family}_USERNAME": kafka.username, f"{family}_PASSWORD_FILE": str(password_file)}


def ready_file_of(name: str, *, data: Path) -> Path:
    """Where a part of ours writes its pid once it serves."""
    return data / "ready" / name


def forgets(ready_file: Path) -> Callable[[], None]:
    """Removes what an earlier process announced."""
    return lambda: ready_file.unlink(missing_ok=True)


def announced(ready_file: Path) -> Callable[[int], bool]:
    """True once the file holds the pid of the child itself."""

    def ready(pid: int) -> bool:
        try:
            return ready_file.read_text(encoding="utf-8").strip() == str(pid)
        except FileNotFoundError:
            return False

    return ready
