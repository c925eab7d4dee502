"""Audit: who looked, sent, changed, was refused?"""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.audit import recorded
from dashboard.crowding import heavy
from dashboard.queries.audit import EVERYTHING, MOST_READ, BadFilter, audit_log, exported, wanted

PRESETS = (("Refused", "result:refused"), ("Payloads seen", "action:payload"), ("Retries", "action:retry"))


@needs(Action.SEE_AUDIT)
@heavy
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The log, newest first; everybody's for admins, one's own for others. A wrong filter leaves all."""
    everybody = can(request.user, Action.SEE_ALL_AUDIT)
    before = request.GET.get("after", "")
    cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    query, filtered, problem = request.GET.get("q", "").strip(), EVERYTHING, ""
    try:
        filtered = wanted(query)
    except BadFilter as wrong:
        problem = str(wrong)
    facts = {
        "log": audit_log(of_person=_whose(request), before=cursor, filtered=filtered),
        "everybody": everybody,
        "cursor": cursor,
        "q": query,
        "problem": problem,
        "presets": PRESETS,
        "most_read": MOST_READ,
    }
    return shell.page(request, "audit/audit.html", facts, section="audit", crumbs=[shell.Crumb("Audit")])


@needs(Action.SEE_AUDIT)
@heavy
@require_safe
def audit_csv(request: HttpRequest) -> HttpResponse:
    """The newest 10,000 entries that fit, as a file. A filter that cannot be understood is refused."""
    query = request.GET.get("q", "").strip()
    try:
        filtered = wanted(query)
    except BadFilter as wrong:
        return HttpResponse(str(wrong), status=400, content_type="text/plain; charset=utf-8")
    with recorded("export audit log", request, object=query):
        text = "".join(exported(of_person=_whose(request), filtered=filtered))
    disposition = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=disposition)


def _whose(request: HttpRequest) -> int | None:
    return None if can(request.user, Action.SEE_ALL_AUDIT) else request.user.pk


urlpatterns = [
    path("audit/", audit, name="audit"),
    path("audit/list.csv", audit_csv, name="audit_csv"),
]
