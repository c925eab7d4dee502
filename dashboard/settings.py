"""Django's settings. Everything a process may be told comes from the environment (docs/operations.md)."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF

from dashboard import addresses, process
from dashboard.env import Environment

_env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent
WEIR_PART = process.part(sys.argv)

SECRET_KEY = _env.text("SECRET_KEY", "")
DEBUG = _env.switch("WEIR_DEBUG")

WEIR_DATA_DIR = _env.folder("WEIR_DATA_DIR", BASE_DIR / "build" / "data")
WEIR_HTTP_BIND = _env.address("WEIR_HTTP_BIND", "127.0.0.1")
WEIR_HTTP_PORT = _env.port("WEIR_HTTP_PORT", 8000)
WEIR_TLS_CERT = _env.text("WEIR_TLS_CERT", "")
WEIR_TLS_KEY = _env.text("WEIR_TLS_KEY", "")
_scheme = "https" if WEIR_TLS_CERT else "http"
WEIR_PUBLIC_URL = _env.web_url("WEIR_PUBLIC_URL", f"{_scheme}://127.0.0.1:{WEIR_HTTP_PORT}")
WEIR_TRUSTED_PROXIES = _env.networks("WEIR_TRUSTED_PROXIES")
WEIR_ALLOW_PLAIN_HTTP = _env.switch("WEIR_ALLOW_PLAIN_HTTP")
WEIR_ALLOW_PLAIN_DB = _env.switch("WEIR_ALLOW_PLAIN_DB")
WEIR_SOCKETS_PER_PERSON = int(_env.number("WEIR_SOCKETS_PER_PERSON", 50))
WEIR_API_PER_SECOND = max(1.0, _env.number("WEIR_API_PER_SECOND", 20))
WEIR_DEMO = _env.switch("WEIR_DEMO")

WEIR_CLUSTER_NAME = _env.text("WEIR_CLUSTER_NAME", "local")
WEIR_KAFKA_BOOTSTRAP = _env.text("WEIR_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
WEIR_KAFKA_USERNAME = _env.text("WEIR_KAFKA_USERNAME", "")
WEIR_KAFKA_PASSWORD = _env.text("WEIR_KAFKA_PASSWORD", "")
WEIR_KAFKA_SASL = _env.choice("WEIR_KAFKA_SASL", "plain", ("plain", "scram-sha-256", "scram-sha-512"))
WEIR_KAFKA_TLS = _env.switch("WEIR_KAFKA_TLS")
WEIR_KAFKA_TLS_CA = _env.text("WEIR_KAFKA_TLS_CA", "")
WEIR_KAFKA_TLS_CERT = _env.text("WEIR_KAFKA_TLS_CERT", "")
WEIR_KAFKA_TLS_KEY = _env.text("WEIR_KAFKA_TLS_KEY", "")
WEIR_KAFKA_TLS_KEY_PASSWORD = _env.text("WEIR_KAFKA_TLS_KEY_PASSWORD", "")
WEIR_EMBEDDED_KAFKA = _env.switch("WEIR_EMBEDDED_KAFKA")
# A user of its own for retries: the one above then needs no right to write. Only the worker has it.
WEIR_RETRY_USERNAME = _env.text("WEIR_RETRY_USERNAME", "")
WEIR_RETRY_PASSWORD = _env.text("WEIR_RETRY_PASSWORD", "")
WEIR_RETRY_TLS_CERT = _env.text("WEIR_RETRY_TLS_CERT", "")
WEIR_RETRY_TLS_KEY = _env.text("WEIR_RETRY_TLS_KEY", "")
WEIR_RETRY_TLS_KEY_PASSWORD = _env.text("WEIR_RETRY_TLS_KEY_PASSWORD", "")

WEIR_SPOOL_BOOTSTRAP = _env.text("WEIR_SPOOL_BOOTSTRAP", WEIR_KAFKA_BOOTSTRAP)
WEIR_SPOOL_USERNAME = _env.text("WEIR_SPOOL_USERNAME", WEIR_KAFKA_USERNAME)
WEIR_SPOOL_PASSWORD = _env.text("WEIR_SPOOL_PASSWORD", WEIR_KAFKA_PASSWORD)
WEIR_SPOOL_SASL = _env.choice("WEIR_SPOOL_SASL", WEIR_KAFKA_SASL, ("plain", "scram-sha-256", "scram-sha-512", "none"))
WEIR_SPOOL_TLS = _env.switch("WEIR_SPOOL_TLS") if _env.text("WEIR_SPOOL_TLS", "") else WEIR_KAFKA_TLS
WEIR_SPOOL_TLS_CA = _env.text("WEIR_SPOOL_TLS_CA", WEIR_KAFKA_TLS_CA)
WEIR_SPOOL_TLS_CERT = _env.text("WEIR_SPOOL_TLS_CERT", WEIR_KAFKA_TLS_CERT)
WEIR_SPOOL_TLS_KEY = _env.text("WEIR_SPOOL_TLS_KEY", WEIR_KAFKA_TLS_KEY)
WEIR_SPOOL_TLS_KEY_PASSWORD = _env.text("WEIR_SPOOL_TLS_KEY_PASSWORD", WEIR_KAFKA_TLS_KEY_PASSWORD)
WEIR_SPOOL_PARTITIONS = int(min(max(1, _env.number("WEIR_SPOOL_PARTITIONS", 12)), 1_000))
WEIR_SECRETS_DIR = _env.folder("WEIR_SECRETS_DIR", WEIR_DATA_DIR / "secrets")
WEIR_OTLP_BIND = _env.address("WEIR_OTLP_BIND", "127.0.0.1")
WEIR_OTLP_HTTP_PORT = _env.port("WEIR_OTLP_HTTP_PORT", 4318)
WEIR_OTLP_GRPC_PORT = _env.port("WEIR_OTLP_GRPC_PORT", 4317)
WEIR_OTLP_TLS_CERT = _env.text("WEIR_OTLP_TLS_CERT", "")
WEIR_OTLP_TLS_KEY = _env.text("WEIR_OTLP_TLS_KEY", "")
WEIR_OTLP_HOSTS = _env.words("WEIR_OTLP_HOSTS")
WEIR_OTLP_ORIGINS = _env.words("WEIR_OTLP_ORIGINS")
WEIR_METRICS_BIND = _env.address("WEIR_METRICS_BIND", "127.0.0.1")
WEIR_METRICS_TOKEN = _env.text("WEIR_METRICS_TOKEN", "")
WEIR_COLLECT_PORT = _env.port_or_none("WEIR_COLLECT_PORT")
WEIR_FOLD_PORT = _env.port_or_none("WEIR_FOLD_PORT")
WEIR_SAMPLE_PORT = _env.port_or_none("WEIR_SAMPLE_PORT")
WEIR_WORKER_PORT = _env.port_or_none("WEIR_WORKER_PORT")
WEIR_TELEMETRY_URL = _env.web_url("WEIR_TELEMETRY_URL", "") if _env.text("WEIR_TELEMETRY_URL", "") else ""
WEIR_OTLP_TOKENS = _env.choice("WEIR_OTLP_TOKENS", "optional", ("optional", "required"))
WEIR_NATIVE = _env.choice("WEIR_NATIVE", "on", ("on", "off"))
WEIR_SOURCE_SPANS_PER_SECOND = max(0.0, _env.number("WEIR_SOURCE_SPANS_PER_SECOND", 100_000))
WEIR_SOURCE_BYTES_PER_DAY = _env.size("WEIR_SOURCE_BYTES_PER_DAY")
WEIR_NEW_NAMES_PER_HOUR = int(max(1, _env.number("WEIR_NEW_NAMES_PER_HOUR", 10_000)))
WEIR_TAP = _env.words("WEIR_TAP") or ["*"]
WEIR_TAP_PAYLOADS = _env.words("WEIR_TAP_PAYLOADS")
WEIR_BUSINESS_KEYS = _env.words("WEIR_BUSINESS_KEYS") or ["order-id", "event-id", "correlation-id", "customer-id"]
WEIR_SAMPLE_SECONDS = _env.number("WEIR_SAMPLE_SECONDS", 2)
WEIR_FOLD_SECONDS = _env.number("WEIR_FOLD_SECONDS", 0.5)

# Applications, addresses, templates -----------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "collector",
    "dashboard",
]
MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dashboard.bodies.RefuseUnstorable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.sessions.SessionLimits",
    "dashboard.audit.RecordRefusals",
]
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "csp.context_processors.nonce",
            ],
        },
    }
]

# Static files: collected and named by content when `manage.py web` starts ---------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = WEIR_DATA_DIR / "static"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
FILE_UPLOAD_PERMISSIONS = 0o600  # the manifest of static files is written with it, too
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
if _vendor := _env.text("WEIR_VENDOR_DIR", ""):
    STATICFILES_DIRS.append(("vendor", Path(_vendor)))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "dashboard.static_files.PageFiles"},
}

# Security (docs/security.md). The headers that every answer carries are set in dashboard/guard.py ----------------

_HTTPS = WEIR_PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = sorted(addresses.own_hosts(WEIR_PUBLIC_URL, WEIR_HTTP_BIND))
CONTENT_SECURITY_POLICY: dict[str, dict[str, list[Any]]] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["weir"],
    }
}
_cookie_names = ("__Host-weir", "__Host-weir_csrf", "__Host-weir_device")
if not _HTTPS:  # cookies ignore ports: two Weirs on one machine must not sign each other out
    _port = urlsplit(WEIR_PUBLIC_URL).port or 80
    _cookie_names = (f"weir_{_port}", f"weir_csrf_{_port}", f"weir_device_{_port}")
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME, WEIR_DEVICE_COOKIE_NAME = _cookie_names
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_AGE = 30 * 24 * 3600  # the cookie's; the real limits are in dashboard/sessions.py
CSRF_FAILURE_VIEW = "dashboard.pages.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS: list[str] = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

AUTH_USER_MODEL = "dashboard.Person"
AUTHENTICATION_BACKENDS = ["dashboard.signin.Passwords"]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
PASSWORD_HASHERS = ["dashboard.passwords.Argon2id"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "dashboard.passwords.Length"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # SecurityMiddleware: the guard sets these headers on every answer, also on its own
    "security.W002",  # X-Frame-Options: the guard
    "security.W004",  # HSTS: the guard, when the public URL is https (weir.W206 watches it)
    "security.W008",  # redirect to https: the proxy's; weir.E201 refuses plain http beyond loopback
    *(["security.W012", "security.W016"] if not _HTTPS else []),  # Secure cookies cannot be set over loopback's http
]

# Postgres and Celery --------------------------------------------------------------------------------------------

DATABASES = {"default": _env.database("DATABASE_URL")}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["CONN_MAX_AGE"] = 0 if WEIR_PART in process.POOLED else None
DATABASES["default"]["OPTIONS"] |= process.database_options(WEIR_PART)

CELERY_BROKER_URL = _env.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_IMPORTS = ("dashboard.worker",)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "weir"
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_keepalive": True}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

# Logging: to stderr, without secrets and control characters ------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "dashboard.logs.Line",
            "secrets": _env.secrets(),
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        "daphne": {"level": "WARNING"},
        "aiokafka": {"level": "WARNING"},
    },
}

# The collector: what is read from the observed topics (globs; a leading "-" excludes), and how long what is kept.
WEIR_DISK_BUDGET = _env.size("WEIR_DISK_BUDGET")
WEIR_DISK_DIR = _env.folder_or_none("WEIR_DISK_DIR")
WEIR_KEEP_RAW = _env.duration("WEIR_KEEP_RAW", "7d")
WEIR_KEEP_DETAILS = _env.duration("WEIR_KEEP_DETAILS", "24h")
WEIR_KEEP_10S = _env.duration("WEIR_KEEP_10S", "24h")
WEIR_KEEP_1M = _env.duration("WEIR_KEEP_1M", "14d")
WEIR_KEEP_1H = _env.duration("WEIR_KEEP_1H", "400d")
WEIR_KEEP_CHUNKS = _env.duration("WEIR_KEEP_CHUNKS", "30d")
