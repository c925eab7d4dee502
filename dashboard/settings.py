"""Django's settings. Everything a process may be told comes from the environment (docs/operations.md)."""

from pathlib import Path

from dashboard.env import Environment

_env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = _env.text("SECRET_KEY", "")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "collector",
    "dashboard",
]
AUTH_USER_MODEL = "dashboard.Person"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "dashboard.urls"
ASGI_APPLICATION = "dashboard.asgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

DATABASES = {"default": _env.database("DATABASE_URL")}
CELERY_BROKER_URL = _env.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")

WEIR_CLUSTER_NAME = _env.text("WEIR_CLUSTER_NAME", "local")
WEIR_KAFKA_BOOTSTRAP = _env.text("WEIR_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
WEIR_KAFKA_USERNAME = _env.text("WEIR_KAFKA_USERNAME", "")
WEIR_KAFKA_PASSWORD = _env.text("WEIR_KAFKA_PASSWORD", "")
WEIR_KAFKA_TLS = _env.switch("WEIR_KAFKA_TLS")
WEIR_EMBEDDED_KAFKA = _env.switch("WEIR_EMBEDDED_KAFKA")
WEIR_SPOOL_BOOTSTRAP = _env.text("WEIR_SPOOL_BOOTSTRAP", WEIR_KAFKA_BOOTSTRAP)
WEIR_SPOOL_USERNAME = _env.text("WEIR_SPOOL_USERNAME", WEIR_KAFKA_USERNAME)
WEIR_SPOOL_PASSWORD = _env.text("WEIR_SPOOL_PASSWORD", WEIR_KAFKA_PASSWORD)
WEIR_SPOOL_TLS = _env.switch("WEIR_SPOOL_TLS") or WEIR_KAFKA_TLS
WEIR_OTLP_BIND = _env.text("WEIR_OTLP_BIND", "127.0.0.1")
WEIR_OTLP_HTTP_PORT = _env.port("WEIR_OTLP_HTTP_PORT", 4318)
WEIR_OTLP_GRPC_PORT = _env.port("WEIR_OTLP_GRPC_PORT", 4317)
WEIR_OTLP_HOSTS = _env.words("WEIR_OTLP_HOSTS")
WEIR_OTLP_ORIGINS = _env.words("WEIR_OTLP_ORIGINS")
WEIR_OTLP_TOKENS = _env.text("WEIR_OTLP_TOKENS", "optional")
WEIR_SAMPLE_SECONDS = _env.number("WEIR_SAMPLE_SECONDS", 2)
WEIR_FOLD_SECONDS = _env.number("WEIR_FOLD_SECONDS", 0.5)
WEIR_HTTP_BIND = _env.text("WEIR_HTTP_BIND", "127.0.0.1")
WEIR_HTTP_PORT = _env.port("WEIR_HTTP_PORT", 8000)
WEIR_PUBLIC_URL = _env.text("WEIR_PUBLIC_URL", f"http://127.0.0.1:{WEIR_HTTP_PORT}")
WEIR_DEMO = _env.switch("WEIR_DEMO")
