"""Which page answers which address. Every view names its action (dashboard/access.py); weir.E212 watches it."""

from django.urls import URLPattern, URLResolver, path

from dashboard.api.api import api
from dashboard.pages import (
    audit,
    dead_letter,
    dead_letters,
    event,
    event_bytes,
    events,
    failure_parts,
    groups,
    health,
    health_probes,
    layout,
    letter_edits,
    letter_export,
    letter_mappings,
    login,
    lookups,
    overview,
    preferences,
    replay,
    retries,
    retry_approvals,
    retry_drafts,
    retry_plans,
    search,
    services,
    settings,
    stuck_limits,
    topics,
    unmasking,
)

urlpatterns: list[URLPattern | URLResolver] = [
    *overview.urlpatterns,
    *layout.urlpatterns,
    *replay.urlpatterns,
    *topics.urlpatterns,
    *groups.urlpatterns,
    *services.urlpatterns,
    *events.urlpatterns,
    *stuck_limits.urlpatterns,
    *event.urlpatterns,
    *event_bytes.urlpatterns,
    *unmasking.urlpatterns,
    *lookups.urlpatterns,
    *search.urlpatterns,
    *dead_letters.urlpatterns,
    *dead_letter.urlpatterns,
    *failure_parts.urlpatterns,
    *letter_mappings.urlpatterns,
    *letter_export.urlpatterns,
    *letter_edits.urlpatterns,
    *retry_plans.urlpatterns,
    *retry_drafts.urlpatterns,
    *retry_approvals.urlpatterns,
    *retries.urlpatterns,
    *audit.urlpatterns,
    *settings.urlpatterns,
    *health_probes.urlpatterns,
    *health.urlpatterns,
    *preferences.urlpatterns,
    *login.urlpatterns,
    path("api/v1/", api.urls),
]

handler400 = "dashboard.pages.errors.bad_request"
handler403 = "dashboard.pages.errors.forbidden"
handler404 = "dashboard.pages.errors.not_found"
handler500 = "dashboard.pages.errors.broken"
