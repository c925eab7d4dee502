"""Merge failure groups, take merged ones out again, split one by what its letters say."""

from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.retry import grouping
from collector.retry.records import Asker
from collector.retry.refusals import NotNow
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import address_of
from dashboard.queries.failure_groups import FailureGroup, failure_group
from dashboard.queries.failure_parts import kinds, mergeable, merged, rereadings, stands_for

if TYPE_CHECKING:
    from dashboard.models import Person


@needs(Action.TRIAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def failure_parts(request: HttpRequest, number: int) -> HttpResponse:
    """What a group is made of. POST merges it, takes a merged one out, or splits it; ids and addresses stay."""
    found = failure_group(number)
    if found is None:
        if other := stands_for(number):
            return HttpResponseRedirect(reverse("failure_parts", args=[other]))
        raise Http404(f"There is no failure group {number}.")
    if request.method != "POST":
        return _page(request, found)
    try:
        return HttpResponseRedirect(reverse("failure_group", args=[_done(request, number)]))
    except NotNow as refusal:
        return _page(request, found, error=str(refusal))


def _done(request: HttpRequest, number: int) -> int:
    """Do what was asked for; the group to show afterwards. Raises NotNow, Http404."""
    person = cast("Person", request.user)  # as `needs` made sure
    by, at, said = Asker(person.pk, str(person), address_of(request)), now(), request.POST
    match said.get("do"):
        case "merge":
            grouping.merge(number, by, into=(into := _number(said.get("into", ""))), now=at)
            return into
        case "take out":
            grouping.take_out(home := _number(said.get("home", "")), by, out_of=number, now=at)
            return home
        case "split":
            chosen = [kind.said for kind in kinds(number).items if kind.detail in said.getlist("kind")]
            return grouping.split(number, by, says=chosen, now=at)
    raise Http404("There is no such deed.")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _page(request: HttpRequest, group: FailureGroup, *, error: str = "") -> HttpResponse:
    facts = {
        "group": group,
        "error": error,
        "merged": merged(group.id),
        "others": mergeable(group.id),
        "kinds": kinds(group.id),
        "rereadings": rereadings(),
    }
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(group.title, reverse("failure_group", args=[group.id])),
        shell.Crumb("Merge and split"),
    ]
    return shell.page(
        request, "failure_parts/failure_parts.html", facts, section="dead_letters", crumbs=crumbs,
        status=409 if error else 200,
    )  # fmt: skip


urlpatterns = [
    path("dead-letters/groups/<int:number>/parts/", failure_parts, name="failure_parts"),
]
