"""The posture's checks: silent on loopback, loud beyond it."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard import addresses, checks
from dashboard.access import Action, needs


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_the_settings_as_they_come_raise_nothing() -> None:
    found = [*checks.exposure(), *checks.secrets(), *checks.servers(), *checks.kafka(), *checks.policy()]
    found += checks.retention()
    assert ids(found) == []


@pytest.mark.parametrize(
    ("tens", "minutes", "hours", "expected"),
    [(24, 25, 25, []), (24, 24, 9_600, ["weir.E216"]), (24, 12, 9_600, ["weir.E216"]), (24, 336, 335, ["weir.E216"])],
)
def test_shorter_steps_may_not_outlive_those_that_are_made_of_them(
    settings: LazySettings, tens: int, minutes: int, hours: int, expected: list[str]
) -> None:
    settings.WEIR_KEEP_10S, settings.WEIR_KEEP_1M = timedelta(hours=tens), timedelta(hours=minutes)
    settings.WEIR_KEEP_1H = timedelta(hours=hours)
    assert ids(checks.retention()) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"WEIR_HTTP_BIND": "0.0.0.0"}, ["weir.E201"]),  # noqa: S104
        ({"WEIR_HTTP_BIND": "10.0.0.5", "WEIR_PUBLIC_URL": "https://weir.example"}, ["weir.E201"]),
        ({"WEIR_HTTP_BIND": "10.0.0.5", "WEIR_ALLOW_PLAIN_HTTP": True}, []),
        ({"WEIR_HTTP_BIND": "10.0.0.5", "WEIR_PUBLIC_URL": "https://weir.example", "WEIR_TLS_CERT": "x"}, []),
        ({"WEIR_HTTP_BIND": "10.0.0.5", "WEIR_ALLOW_PLAIN_HTTP": True, "WEIR_DEMO": True}, ["weir.E202"]),
        ({"WEIR_OTLP_BIND": "10.0.0.5"}, ["weir.E205", "weir.W203"]),
        ({"WEIR_OTLP_BIND": "10.0.0.5", "WEIR_OTLP_TOKENS": "required"}, ["weir.W203"]),
        ({"WEIR_OTLP_BIND": "10.0.0.5", "WEIR_OTLP_TOKENS": "required", "WEIR_OTLP_TLS_CERT": "x"}, []),
        ({"WEIR_TRUSTED_PROXIES": [addresses.network("::/0")]}, ["weir.E206"]),
    ],
)
def test_leaving_loopback_unprotected_is_an_error(
    settings: LazySettings, changed: dict[str, Any], expected: list[str]
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert ids(checks.exposure()) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"WEIR_METRICS_BIND": "10.0.0.5"}, ["weir.E213"]),
        ({"WEIR_METRICS_BIND": "10.0.0.5", "WEIR_METRICS_TOKEN": "t"}, []),
        ({"WEIR_TELEMETRY_URL": "http://localhost:4318"}, ["weir.E214"]),
        ({"WEIR_TELEMETRY_URL": "http://127.0.0.1:4317"}, ["weir.E214"]),
        ({"WEIR_TELEMETRY_URL": "http://weir.example:4318", "WEIR_OTLP_HOSTS": ["weir.example"]}, ["weir.E214"]),
        ({"WEIR_TELEMETRY_URL": "http://collector:4318"}, []),
    ],
)
def test_metrics_and_own_spans_stay_where_they_belong(
    settings: LazySettings, changed: dict[str, Any], expected: list[str]
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert ids(checks.telemetry()) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"WEIR_PART": "receive", "WEIR_OTLP_TLS_CERT": "x"}, ["weir.E215"]),
        ({"WEIR_PART": "collect", "WEIR_OTLP_TLS_CERT": "x"}, []),
        ({"WEIR_PART": "web", "WEIR_TLS_KEY": "x"}, ["weir.E215"]),
        ({"WEIR_TLS_CERT": "x", "WEIR_PUBLIC_URL": "http://weir.example"}, ["weir.E215"]),
    ],
)
def test_a_certificate_comes_with_its_key_and_an_https_address(
    settings: LazySettings, changed: dict[str, Any], expected: list[str]
) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert ids(checks.certificates()) == expected


def test_servers_beyond_loopback_need_passwords_and_tls(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "HOST", "db.example")
    monkeypatch.setitem(database, "PASSWORD", "secret")
    settings.CELERY_BROKER_URL = "redis://:secret@queue.example:6379/0"
    assert ids(checks.servers()) == ["weir.E207", "weir.E207"]
    monkeypatch.setitem(database, "OPTIONS", {"sslmode": "verify-full"})
    settings.CELERY_BROKER_URL = "rediss://:secret@queue.example:6379/0"  # the client would believe any certificate
    assert ids(checks.servers()) == ["weir.E207"]
    settings.CELERY_BROKER_URL = "rediss://:secret@queue.example:6379/0?ssl_cert_reqs=required"
    assert checks.servers() == []


def test_a_password_for_kafka_is_not_sent_in_the_clear(settings: LazySettings) -> None:
    settings.WEIR_KAFKA_BOOTSTRAP = "127.0.0.1:9092,kafka.example:9092"
    settings.WEIR_KAFKA_USERNAME = "weir"
    assert ids(checks.kafka()) == ["weir.E208"]
    settings.WEIR_KAFKA_TLS = True
    assert checks.kafka() == []


@pytest.mark.parametrize("wrong", ["order", "missing", "unsafe"])
def test_a_policy_with_a_hole_is_an_error(settings: LazySettings, wrong: str) -> None:
    if wrong == "order":
        settings.MIDDLEWARE = [*settings.MIDDLEWARE[1:], settings.MIDDLEWARE[0]]
    elif wrong == "missing":
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "csrf" not in name]
    else:
        directives = {**settings.CONTENT_SECURITY_POLICY["DIRECTIVES"], "style-src": ["'unsafe-inline'"]}
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}
    assert ids(checks.policy()) == ["weir.E209"]


def test_s27_a_view_without_an_action_is_found_by_its_address() -> None:
    def bare(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    patterns = [path("open/", bare), path("kept/", needs(Action.VIEW)(bare))]
    assert [where for where, view in checks.views(patterns) if not hasattr(view, "actions")] == ["open/"]


def test_s46_the_worker_warns_where_retries_are_sent_as_the_user_that_reads(settings: LazySettings) -> None:
    settings.WEIR_PART = "worker"
    assert ids(checks.writing()) == []
    settings.WEIR_KAFKA_USERNAME = "weir"
    assert ids(checks.writing()) == ["weir.W210"]
    settings.WEIR_RETRY_USERNAME = "weir-retries"
    assert ids(checks.writing()) == []
    settings.WEIR_RETRY_USERNAME, settings.WEIR_PART = "", "collect"
    assert ids(checks.writing()) == []


def test_what_runs_all_day_and_shows_no_page_loads_none_for_its_checks() -> None:
    said = (
        "import sys; from importlib import import_module; from django.core.management.base import BaseCommand\n"
        "import django; django.setup()\n"
        "for name in ('collect', 'fold', 'receive'):\n"
        "    command = import_module(f'collector.management.commands.{name}').Command\n"
        "    assert list(command.requires_system_checks) == ['security'], name\n"
        "    command().check(tags=command.requires_system_checks)\n"
        "print('dashboard.urls' in sys.modules)\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "False\n", done.stderr
