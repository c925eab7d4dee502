"""The plan of many: a click freezes, four steps show what would happen, and one button sends."""

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain.canary import MOST_PER_SECOND
from collector.retry import consent, drafts
from collector.retry.drafts import Draft
from collector.retry.records import Asker
from collector.retry.refusals import AlreadySent, Expired, NoSuchPlan, NotAllowed, Refusal
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of
from dashboard.forms import SendingForm, TargetForm
from dashboard.queries.spare_capacity import SHOWN_HOURS, Spare, spare

if TYPE_CHECKING:
    from dashboard.models import Person

STEPS = (("1", "Selection"), ("2", "Blast radius"), ("3", "Sending plan"), ("4", "Confirm"))


@needs(Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_draft(request: HttpRequest, number: int) -> HttpResponse:
    """One plan, step by step. Each POST changes one thing and leads to the next step; `do=confirm` sends."""
    by = asker(request)
    try:
        if request.method == "POST":
            return _DEEDS.get(request.POST.get("do", ""), _unknown)(request, number, by)
        return _page(request, number, by, step=request.GET.get("step", "1"))
    except AlreadySent as sent:
        return HttpResponseRedirect(f"{reverse('retry', args=[sent.operation])}?already=1")
    except Expired as expired:
        facts = {"heading": f"Plan #{number}", "error": str(expired)}
        crumbs = [shell.Crumb("Retries", reverse("retries")), shell.Crumb(f"Plan #{number}")]
        return shell.page(request, "retries/refused.html", facts, section="retries", crumbs=crumbs, status=410)
    except NoSuchPlan as gone:
        raise Http404(str(gone)) from gone


def asker(request: HttpRequest) -> Asker:
    """Who asks, as the doors want it."""
    person = cast("Person", request.user)  # as `needs` made sure
    return Asker(person.pk, str(person), address_of(request))


def _choose(request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    form = TargetForm(request.POST)
    if not form.is_valid():
        return _page(request, number, by, step="2", error="Choose a target.", status=400)
    try:
        is_other = drafts.choose(number, by, now=now(), target=form.target_name, leaves_newer_out=form.leaves_newer_out)
    except NotAllowed as refusal:
        return _page(request, number, by, step="2", error=str(refusal), status=409)
    if "next" not in request.POST:
        return _to(number, "2")
    return _to(number, "2&other=1" if is_other else "3")


def _pace(request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    form = SendingForm(request.POST)
    if not form.is_valid():
        return _page(request, number, by, step="3", form=form, status=400)
    try:
        drafts.pace(number, by, now=now(), sending=form.sending)
    except NotAllowed as refusal:
        return _page(request, number, by, step="3", form=form, error=str(refusal), status=409)
    return _to(number, "4")


def _confirm(request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    said = {name: request.POST.get(name, "")[:200] for name in ("digest", "typed", "name")}
    try:
        made = drafts.confirm(number, by, now=now(), **said)
    except (AlreadySent, NoSuchPlan):
        raise
    except Refusal as refusal:
        return _page(request, number, by, step="4", error=str(refusal), status=409)
    return HttpResponseRedirect(reverse("retry", args=[made.id]))


def _discard(_request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    drafts.discard(number, by, now=now())
    return HttpResponseRedirect(reverse("dead_letters"))


def _unknown(request: HttpRequest, number: int, by: Asker) -> HttpResponse:
    return _page(request, number, by, step="1", status=400)


_DEEDS: Mapping[str, Callable[[HttpRequest, int, Asker], HttpResponse]] = {
    "choose": _choose,
    "pace": _pace,
    "confirm": _confirm,
    "discard": _discard,
}


def _to(number: int, step: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('retry_draft', args=[number])}?step={step}")


def _page(
    request: HttpRequest,
    number: int,
    by: Asker,
    *,
    step: str,
    error: str = "",
    form: SendingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    step = step if step in dict(STEPS) else "1"
    made = drafts.draft(number, by, now=now(), looks_at_blast=step == "2")
    within = shell.scope(request)
    facts = {
        "draft": made,
        "operation": made.operation,
        "step": step,
        "steps": STEPS,
        "error": error,
        "left_out": sorted(made.left_out.items(), key=lambda pair: -pair[1]),
        "n_left_out": sum(made.left_out.values()),
        "choices": drafts.targets(number, by, now=now()) if step == "2" else (),
        "form": form or SendingForm.of(made.operation.sending),
        "n_others": sum(not reader.n_failed for reader in made.blast.readers),
        "most_per_second": MOST_PER_SECOND,
        "seconds": made.n / made.operation.sending.rate_per_second,
        "spares": _spares(made) if step == "3" else (),
        "shown_hours": SHOWN_HOURS,
        "first": _first(made),
        "is_other": step == "2" and request.GET.get("other") == "1",
        "away": within.away(made.cluster),
        "asks": step == "4" and consent.needed(made.n, edited=False),
    }
    crumbs = [shell.Crumb("Retries", reverse("retries")), shell.Crumb(f"Plan #{number}")]
    return shell.page(
        request, "retry_plans/draft.html", facts, section="retries", crumbs=crumbs, within=within, status=status
    )


def _spares(made: Draft) -> list[tuple[Spare, bool]]:
    """What the groups that get copies have to spare, and whether the rate of the plan is beyond that."""
    readers = [(reader.topic, reader.name) for reader in made.blast.readers]
    per_second = made.operation.sending.rate_per_second
    found = spare(made.cluster, readers, now=now()) if readers else ()
    return [(each, each.rate is not None and each.rate < per_second) for each in found]


def _first(made: Draft) -> int:
    """How many the confirming click sends at once."""
    steps = made.operation.sending.steps
    return min(steps[0], made.n) if steps else made.n


def new_token() -> str:
    """Makes a click count once."""
    return secrets.token_urlsafe(24)


urlpatterns = [
    path("retries/<int:number>/plan/", retry_draft, name="retry_draft"),
]
