"""A retry that waits for a second person: what it would do, and approve or refuse."""

from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain.editing import NotEditable
from collector.retry import approvals
from collector.retry.edits import Changes
from collector.retry.records import Asker
from collector.retry.refusals import NoSuchPlan, Refusal
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.audit import address_of, recorded

if TYPE_CHECKING:
    from dashboard.models import Person


@needs(Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_approval(request: HttpRequest, number: int) -> HttpResponse:
    """What is asked for. POST approves and sends it, or refuses; who asked can only take it back."""
    person = cast("Person", request.user)  # as `needs` made sure
    by = Asker(person.pk, str(person), address_of(request))
    error = ""
    try:
        if request.method == "POST":
            try:
                return _decided(request, number, by)
            except NoSuchPlan:
                raise
            except Refusal as refusal:
                error = str(refusal)
        return _page(request, number, by, error=error)
    except NoSuchPlan as gone:
        raise Http404(str(gone)) from gone


def _decided(request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    if request.POST.get("do") == "approve":
        approvals.approve(number, by, digest=request.POST.get("digest", ""), now=now())
    elif request.POST.get("do") == "refuse":
        approvals.refuse(number, by, reason=request.POST.get("reason", ""), now=now())
    return HttpResponseRedirect(reverse("retry", args=[number]))


def _page(request: HttpRequest, number: int, by: Asker, *, error: str) -> HttpResponse:
    asked = approvals.asked(number, now=now())
    made = asked.draft
    may_see = can(request.user, Action.SEE_PAYLOADS)
    changes, hidden = _changes(request, number) if asked.edit_reason and may_see else (None, "")
    facts = {
        "asked": asked,
        "changes": changes,
        "hidden": hidden,
        "draft": made,
        "operation": made.operation,
        "is_own": made.operation.person_id == by.person_id,
        "may_see": may_see,
        "left_out": sorted(made.left_out.items(), key=lambda pair: -pair[1]),
        "error": error,
    }
    crumbs = [
        shell.Crumb("Retries", reverse("retries")),
        shell.Crumb(f"#{number}", reverse("retry", args=[number])),
        shell.Crumb("Approval"),
    ]
    return shell.page(
        request, "retry_approvals/retry_approvals.html", facts, section="retries", crumbs=crumbs,
        status=409 if error else 200,
    )  # fmt: skip


def _changes(request: HttpRequest, number: int) -> tuple[Changes | None, str]:
    """What the edited copy changes, or why it cannot be shown; looking at it is written down."""
    with recorded("see payload", request, object=f"retry {number}"):
        try:
            return approvals.changes(number, now=now()), ""
        except NotEditable as problem:
            return None, str(problem)


urlpatterns = [
    path("retries/<int:number>/approval/", retry_approval, name="retry_approval"),
]
