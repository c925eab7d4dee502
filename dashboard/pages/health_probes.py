"""Probes: whether the process answers, and whether it can serve. Status only, no login."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

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


urlpatterns = [path("health/live", live, name="health_live"), path("health/ready", ready, name="health_ready")]
