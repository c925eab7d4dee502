"""Preferences of one browser, kept in cookies: the theme, and whether single keys are shortcuts."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.access import Action, needs
from dashboard.templatetags.frame import KEYS_COOKIE, THEME_COOKIE, THEMES

YEAR_SECONDS = 365 * 86_400


@require_POST
@needs(Action.VIEW)
def preferences(request: HttpRequest) -> HttpResponse:
    """Set one preference and go back to where the person was."""
    back = request.POST.get("next", "/")
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    answer = HttpResponseRedirect(back)
    for name, cookie, allowed in (("theme", THEME_COOKIE, ("system", *THEMES)), ("keys", KEYS_COOKIE, ("on", "off"))):
        value = request.POST.get(name)
        if value is not None and value in allowed:
            # Scripts read and set the theme at once: it holds nothing worth hiding.
            answer.set_cookie(
                cookie, value, max_age=YEAR_SECONDS, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
            )
    return answer


urlpatterns = [
    path("preferences/", preferences, name="preferences"),
]
