"""Everything that touches Kafka or writes observations."""

from django.apps import AppConfig


class CollectorConfig(AppConfig):
    """The collector's tables and commands."""

    name = "collector"
    default_auto_field = "django.db.models.BigAutoField"
