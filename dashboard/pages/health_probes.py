"""Probes: whether the process answers, and whether it can serve. Status only, no login."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

from collector import telemetry
from dashboard.access import Action, needs


@needs(Action.ENTER)
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@needs(Action.ENTER)
@require_safe
def ready(_request: HttpRequest) -> HttpResponse:
    """The database answers, too; else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except (DatabaseError, PoolTimeout):
        return HttpResponse("not ready\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


@needs(Action.ENTER)
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """This process's numbers, for Prometheus on this machine, or with the token."""
    state = getattr(request, "scope", {}).get("state") or {}
    client = "" if state.get("proxied", False) else str(request.META.get("REMOTE_ADDR", ""))
    token = settings.WEIR_METRICS_TOKEN
    if not telemetry.may_read(client or "0.0.0.0", request.headers.get("Authorization", ""), token):  # noqa: S104  nobody's
        return HttpResponse("Send WEIR_METRICS_TOKEN as a bearer token.\n", status=401, content_type="text/plain")
    return HttpResponse(telemetry.exposition(), content_type=telemetry.EXPOSITION)


urlpatterns = [
    path("metrics", metrics, name="metrics"),
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
]
