"""Everything a browser or an API client can reach."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.urls import register_converter

from dashboard.converters import Rest, Segment
from dashboard.process import OBSERVING


class DashboardConfig(AppConfig):
    """The dashboard's tables, commands and checks."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make Weir's Celery application the current one, so that a door can wake a worker; register the rest.

        Parts that wake nobody do without: it takes 8 MB.
        """
        register_converter(Segment, "segment")
        register_converter(Rest, "rest")
        if settings.WEIR_PART not in OBSERVING:
            import_module("dashboard.celery")
        import_module("dashboard.checks")
