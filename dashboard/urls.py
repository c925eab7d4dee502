"""Which page answers which address. Every view names its action (dashboard/access.py); weir.E212 watches it."""

from django.urls import URLPattern, URLResolver, path

from dashboard.api.api import api
from dashboard.pages import audit, health, health_probes, login, overview, preferences

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("audit/", audit.audit, name="audit"),
    *health_probes.urlpatterns,
    path("health/", health.health_page, name="health"),
    path("preferences/", preferences.preferences, name="preferences"),
    *login.urlpatterns,
    path("api/v1/", api.urls),
]

handler400 = "dashboard.pages.errors.bad_request"
handler403 = "dashboard.pages.errors.forbidden"
handler404 = "dashboard.pages.errors.not_found"
handler500 = "dashboard.pages.errors.broken"
