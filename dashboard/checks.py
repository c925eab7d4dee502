"""The default posture as checks: errors stop every command that serves, warnings are printed (docs/security.md)."""

import inspect
import os
import stat
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard import addresses

SHORTEST_KEY = 32
_OPEN_OF_NINJA = {"api-root", "openapi-json"}  # one answers 404, the other the document that names no data
_FIRST_MIDDLEWARE = "csp.middleware.CSPMiddleware"


@register(Tags.security)
def exposure(**_facts: object) -> list[CheckMessage]:
    """E201, E202, E205, E206: what leaves loopback does so protected."""
    found: list[CheckMessage] = []
    beyond = not addresses.is_loopback(settings.WEIR_HTTP_BIND)
    https = settings.WEIR_PUBLIC_URL.startswith("https://")
    protected = https and (settings.WEIR_TRUSTED_PROXIES or settings.WEIR_TLS_CERT)
    if beyond and not protected and not settings.WEIR_ALLOW_PLAIN_HTTP:
        hint = "Set WEIR_PUBLIC_URL=https://… and WEIR_TRUSTED_PROXIES or WEIR_TLS_CERT_FILE, or bind 127.0.0.1."
        found.append(Error("The dashboard leaves loopback without https.", hint=hint, id="weir.E201"))
    if beyond and (settings.DEBUG or settings.WEIR_DEMO):
        hint = "The demo's broker has no password, and WEIR_DEBUG shows code. Bind 127.0.0.1."
        found.append(Error("The demo or WEIR_DEBUG may not leave loopback.", hint=hint, id="weir.E202"))
    if not addresses.is_loopback(settings.WEIR_OTLP_BIND) and settings.WEIR_OTLP_TOKENS != "required":
        hint = "Set WEIR_OTLP_TOKENS=required, or WEIR_OTLP_BIND=127.0.0.1."
        found.append(Error("The receiver leaves loopback without tokens.", hint=hint, id="weir.E205"))
    if any(each.prefixlen == 0 for each in settings.WEIR_TRUSTED_PROXIES):
        hint = "Name the proxies' own addresses."
        found.append(Error("WEIR_TRUSTED_PROXIES trusts everybody.", hint=hint, id="weir.E206"))
    if not addresses.is_loopback(settings.WEIR_OTLP_BIND) and not settings.WEIR_OTLP_TLS_CERT:
        hint = "Set WEIR_OTLP_TLS_CERT_FILE and WEIR_OTLP_TLS_KEY_FILE, or put a proxy in front."
        found.append(Warning("The receiver leaves loopback without TLS.", hint=hint, id="weir.W203"))
    return found


@register(Tags.security)
def certificates(**_facts: object) -> list[CheckMessage]:
    """E215: a certificate comes with its key, in the process that serves with it; https is said where it is served."""
    found: list[CheckMessage] = []
    for part, name in (("web", "WEIR_TLS"), ("receive", "WEIR_OTLP_TLS")):
        if part == settings.WEIR_PART and bool(getattr(settings, f"{name}_CERT")) != bool(
            getattr(settings, f"{name}_KEY")
        ):
            hint = f"Set {name}_CERT_FILE and {name}_KEY_FILE, both PEM."
            found.append(Error("A certificate without its key, or the reverse.", hint=hint, id="weir.E215"))
    if settings.WEIR_TLS_CERT and not settings.WEIR_PUBLIC_URL.startswith("https://"):
        hint = "Set WEIR_PUBLIC_URL=https://…"
        found.append(Error("The dashboard serves https under an http address.", hint=hint, id="weir.E215"))
    return found


@register(Tags.security)
def secrets(**_facts: object) -> list[CheckMessage]:
    """E203, E204: the key is long and private, the data folder ours."""
    found: list[CheckMessage] = []
    if (
        settings.WEIR_PART in {"web", "worker"}
        and len(os.environ.get("SECRET_KEY") or settings.SECRET_KEY) < SHORTEST_KEY
    ):
        hint = f"At least {SHORTEST_KEY} random characters, the same for web and worker."
        found.append(Error("SECRET_KEY is missing or short.", hint=hint, id="weir.E203"))
    for name in ("SECRET_KEY_FILE", "DATABASE_URL_FILE", "CELERY_BROKER_URL_FILE"):
        file = os.environ.get(name)
        if file and _mode(Path(file)) & 0o077:
            found.append(Error(f"{name} can be read by others.", hint=f"chmod 600 {file}", id="weir.E203"))
    data = settings.WEIR_DATA_DIR
    if data.exists() and (data.stat().st_uid != os.geteuid() or _mode(data) & 0o022):
        hint = "It must belong to the account that runs Weir, and be writable by no other (mode 0700)."
        found.append(Error("WEIR_DATA_DIR has a foreign owner or is open to others.", hint=hint, id="weir.E204"))
    return found


@register(Tags.security)
def servers(**_facts: object) -> list[CheckMessage]:
    """E207: Postgres and Valkey beyond loopback with passwords and TLS."""
    found: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    far = (
        bool(database["HOST"]) and not database["HOST"].startswith("/") and not addresses.is_loopback(database["HOST"])
    )
    verified = database["OPTIONS"].get("sslmode") in {"verify-full", "verify-ca"}
    if far and not (database["PASSWORD"] and verified) and not settings.WEIR_ALLOW_PLAIN_DB:
        hint = "Give DATABASE_URL a password and ?sslmode=verify-full&sslrootcert=…"
        found.append(Error("Postgres is beyond loopback without password or verified TLS.", hint=hint, id="weir.E207"))
    broker = urlsplit(settings.CELERY_BROKER_URL)
    is_verified = parse_qs(broker.query).get("ssl_cert_reqs", [""])[0] in {
        "required",
        "CERT_REQUIRED",
    }  # else of nobody
    by_tls = broker.password and broker.scheme == "rediss" and is_verified
    protected = addresses.is_loopback(broker.hostname or "localhost") or by_tls
    if not protected and not settings.WEIR_ALLOW_PLAIN_DB:
        hint = (
            "Use rediss://:password@host:port/0?ssl_cert_reqs=required (and &ssl_ca_certs=FILE for your own authority)."
        )
        found.append(Error("Valkey is beyond loopback without password or verified TLS.", hint=hint, id="weir.E207"))
    return found


@register(Tags.security)
def retention(**_facts: object) -> list[CheckMessage]:
    """E216: minutes outlive ten seconds, hours minutes: what late spans change is summed up again from all of it."""
    kept = (settings.WEIR_KEEP_10S + timedelta(hours=1), settings.WEIR_KEEP_1M, settings.WEIR_KEEP_1H)
    if list(kept) == sorted(kept):
        return []
    hint = "WEIR_KEEP_1M needs an hour more than WEIR_KEEP_10S, and WEIR_KEEP_1H no less than WEIR_KEEP_1M."
    return [Error("Counts by minute or hour would go before shorter ones.", hint=hint, id="weir.E216")]


@register(Tags.security)
def kafka(**_facts: object) -> list[CheckMessage]:
    """E208, W203: Kafka beyond loopback with TLS. SCRAM shows no password to whoever listens, so it only warns."""
    found: list[CheckMessage] = []
    for name in ("KAFKA", "SPOOL"):
        hosts = [addresses.host_name(each) for each in getattr(settings, f"WEIR_{name}_BOOTSTRAP").split(",")]
        tls = getattr(settings, f"WEIR_{name}_TLS")
        in_clear = getattr(settings, f"WEIR_{name}_USERNAME") and getattr(settings, f"WEIR_{name}_SASL") == "plain"
        if tls or all(map(addresses.is_loopback, hosts)):
            continue
        if in_clear:
            hint = f"Set WEIR_{name}_TLS=1."
            found.append(Error("SASL PLAIN would be sent without TLS.", hint=hint, id="weir.E208"))
        else:
            found.append(Warning("Kafka is beyond loopback without TLS.", hint=f"WEIR_{name}_TLS=1", id="weir.W203"))
    return found


@register(Tags.security)
def writing(**_facts: object) -> list[CheckMessage]:
    """W210: retries are sent as a Kafka user of their own, so that nothing else of Weir can write."""
    is_somebody = settings.WEIR_KAFKA_USERNAME or settings.WEIR_KAFKA_TLS_CERT
    has_own = settings.WEIR_RETRY_USERNAME or settings.WEIR_RETRY_TLS_CERT
    if settings.WEIR_PART != "worker" or not is_somebody or has_own:
        return []
    hint = "Set WEIR_RETRY_USERNAME or WEIR_RETRY_TLS_CERT_FILE; the collectors' user then needs no right to write."
    return [Warning("Retries are sent as the Kafka user that reads.", hint=hint, id="weir.W210")]


@register(Tags.security)
def telemetry(**_facts: object) -> list[CheckMessage]:
    """E213, E214: metrics beyond loopback by a token; Weir's own spans to anybody but itself."""
    found: list[CheckMessage] = []
    if not addresses.is_loopback(settings.WEIR_METRICS_BIND) and not settings.WEIR_METRICS_TOKEN:
        hint = "Set WEIR_METRICS_TOKEN, or WEIR_METRICS_BIND=127.0.0.1."
        found.append(Error("Metrics leave loopback without a token.", hint=hint, id="weir.E213"))
    url = urlsplit(settings.WEIR_TELEMETRY_URL)
    own_ports = {settings.WEIR_OTLP_HTTP_PORT, settings.WEIR_OTLP_GRPC_PORT}
    own_names = {*settings.WEIR_OTLP_HOSTS, settings.WEIR_OTLP_BIND}
    if url.port in own_ports and (addresses.is_loopback(url.hostname or "") or url.hostname in own_names):
        hint = "Weir must not draw itself. Name another OpenTelemetry Collector or backend."
        found.append(Error("WEIR_TELEMETRY_URL is Weir's own receiver.", hint=hint, id="weir.E214"))
    return found


@register(Tags.security)
def policy(**_facts: object) -> list[CheckMessage]:
    """E209: the layers that protect a page are there, in order, and the policy allows nothing unsafe."""
    wanted = [_FIRST_MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware", "dashboard.sessions.SessionLimits"]
    order = [settings.MIDDLEWARE.index(name) for name in wanted if name in settings.MIDDLEWARE]
    sources = [word for words in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].values() for word in words]
    unsafe = any(isinstance(word, str) and ("unsafe-" in word or word == "*") for word in sources)
    if len(order) < len(wanted) or order != sorted(order) or order[0] != 0 or unsafe:
        hint = "docs/security.md names the middleware, its order, and the policy."
        return [
            Error("CSP, CSRF or session middleware is missing, out of order, or unsafe.", hint=hint, id="weir.E209")
        ]
    return []


@register(Tags.urls)
def actions(**_facts: object) -> list[CheckMessage]:
    """E212: every address leads to views that name their action."""
    return [
        Error(f"{where} does not name its action.", hint="Decorate it with @needs(Action.…).", id="weir.E212")
        for where, view in views(get_resolver().url_patterns)
        if not hasattr(view, "actions")
    ]


def views(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Every view with its address; of the API each operation's own function."""
    for pattern in patterns:
        where = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, where)
        elif (operations := _operations(pattern.callback)) is not None:
            yield from ((f"{'/'.join(each.methods)} {where}", each.view_func) for each in operations)
        elif pattern.name not in _OPEN_OF_NINJA:
            yield where, pattern.callback


def _operations(callback: Callable[..., Any]) -> list[Any] | None:
    """What ninja keeps behind one address, in the closure of the view that it makes; None for a view of our own."""
    if not callback.__module__.startswith("ninja.") or not isinstance(callback, FunctionType):
        return None
    path_view = inspect.getclosurevars(callback).nonlocals.get("self")
    return list(path_view.operations) if path_view else None


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
