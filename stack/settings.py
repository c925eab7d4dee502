"""What a person may set for the stack, read and checked before anything starts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stack import ports
from stack.ports import LOOPBACK
from stack.problems import CannotStart

KAFKA_PORT = 19092
HTTP_PORT = 8000
OTLP_HTTP_PORT = 4318
OTLP_GRPC_PORT = 4317


@dataclass(frozen=True)
class Observed:
    """A Kafka that is not ours: addresses, its TLS switch, and, when it asks for them, name, password and mechanism."""

    bootstrap: str
    username: str | None
    password: str | None
    tls: bool
    sasl: str = "plain"


@dataclass(frozen=True)
class Settings:
    """The stack's own settings; what replaces an embedded part is None when it was not given."""

    demo: bool
    cluster_name: str
    http_bind: str
    http_port: int
    otlp_bind: str
    otlp_http_port: int
    otlp_grpc_port: int
    kafka_port: int
    collect_port: int
    public_url: str | None
    https: bool
    otlp_https: bool
    database_url: str | None
    broker_url: str | None
    observed: Observed | None
    spool: Observed | None

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the dashboard."""
        return self.public_url or f"{'https' if self.https else 'http'}://{LOOPBACK}:{self.http_port}"

    @property
    def otlp_http(self) -> str:
        """Where services on this machine send OTLP over HTTP."""
        return f"{'https' if self.otlp_https else 'http'}://{LOOPBACK}:{self.otlp_http_port}"

    @property
    def needs_broker(self) -> bool:
        """True unless both the observed Kafka and the spool's are given."""
        return self.observed is None or self.spool is None

    @property
    def needed_ports(self) -> dict[str, tuple[str, int]]:
        """{setting: (address, port)} of what must be free."""
        found = {
            "WEIR_HTTP_PORT": (self.http_bind, self.http_port),
            "WEIR_OTLP_HTTP_PORT": (self.otlp_bind, self.otlp_http_port),
            "WEIR_OTLP_GRPC_PORT": (self.otlp_bind, self.otlp_grpc_port),
        }
        return {**found, "WEIR_KAFKA_PORT": (LOOPBACK, self.kafka_port)} if self.needs_broker else found


def given(environ: Mapping[str, str], name: str) -> str | None:
    """NAME, else the content of the file NAME_FILE, else None; CannotStart when that file cannot be read."""
    if environ.get(name):
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise CannotStart(f"{name}_FILE cannot be read: {problem.strerror}: {path}") from None


def read(environ: Mapping[str, str], *, demo: bool) -> Settings:
    """The settings; CannotStart says which one cannot be used and why. Port 0 means: any free one."""
    observed, spool = _elsewhere(environ, "WEIR_KAFKA"), _elsewhere(environ, "WEIR_SPOOL")
    if observed and spool:  # what is not said of the spool is as for the observed Kafka
        tls = spool.tls if environ.get("WEIR_SPOOL_TLS") else observed.tls
        signs_in = observed if spool.username is None and environ.get("WEIR_SPOOL_SASL") != "none" else spool
        spool = replace(signs_in, bootstrap=spool.bootstrap, tls=tls)
    if demo and observed:
        raise CannotStart(
            "make demo brings its own Kafka and shop. To look at the Kafka that WEIR_KAFKA_BOOTSTRAP names, use "
            "make up; for the demo, unset it."
        )
    return Settings(
        demo=demo,
        cluster_name=environ.get("WEIR_CLUSTER_NAME") or ("demo" if demo else "local"),
        http_bind=environ.get("WEIR_HTTP_BIND") or LOOPBACK,
        http_port=_port(environ, "WEIR_HTTP_PORT", HTTP_PORT),
        otlp_bind=environ.get("WEIR_OTLP_BIND") or LOOPBACK,
        otlp_http_port=_port(environ, "WEIR_OTLP_HTTP_PORT", OTLP_HTTP_PORT),
        otlp_grpc_port=_port(environ, "WEIR_OTLP_GRPC_PORT", OTLP_GRPC_PORT),
        kafka_port=_port(environ, "WEIR_KAFKA_PORT", KAFKA_PORT),
        collect_port=_port(environ, "WEIR_COLLECT_PORT", 0),
        public_url=environ.get("WEIR_PUBLIC_URL") or None,
        https=_is_given(environ, "WEIR_TLS_CERT"),
        otlp_https=_is_given(environ, "WEIR_OTLP_TLS_CERT"),
        database_url=given(environ, "DATABASE_URL"),
        broker_url=given(environ, "CELERY_BROKER_URL"),
        observed=observed,
        spool=spool,
    )


def _elsewhere(environ: Mapping[str, str], family: str) -> Observed | None:
    bootstrap = environ.get(f"{family}_BOOTSTRAP")
    if not bootstrap:
        return None
    return Observed(
        bootstrap=bootstrap,
        username=environ.get(f"{family}_USERNAME") or None,
        password=given(environ, f"{family}_PASSWORD"),
        tls=environ.get(f"{family}_TLS", "").lower() in {"1", "true", "yes"},
        sasl=environ.get(f"{family}_SASL") or "plain",
    )


def _is_given(environ: Mapping[str, str], name: str) -> bool:
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and int(text) <= 65_535):
        raise CannotStart(f"{name} is {text!r}, which is not a port (1 to 65535, or 0 for any free one).")
    return int(text) or ports.free_port()
