"""Everything a browser or an API client can reach."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The dashboard's tables, commands and checks."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"
