"""Audit: who looked, sent, changed, was refused?"""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.queries.audit import audit_log


@needs(Action.SEE_AUDIT)
def audit(request: HttpRequest) -> HttpResponse:
    """The log, newest first; everybody's for admins, one's own for others."""
    everybody = can(request.user, Action.SEE_ALL_AUDIT)
    before = request.GET.get("after", "")
    cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    log = audit_log(of_person=None if everybody else request.user.pk, before=cursor)
    return shell.page(
        request,
        "audit/audit.html",
        {"log": log, "everybody": everybody, "cursor": cursor},
        section="audit",
        crumbs=[shell.Crumb("Audit")],
    )


urlpatterns = [
    path("audit/", audit, name="audit"),
]
