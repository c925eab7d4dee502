"""Retries: did the retry really work? And what people do with one that runs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.retry import control, drafts, records
from collector.retry.records import Asker
from collector.retry.refusals import Refusal
from collector.retry.requests import MOST_LETTERS
from dashboard import shell
from dashboard.access import Action, can, needs
from dashboard.audit import address_of
from dashboard.payload_searches import chosen
from dashboard.queries.letter_filter import BadFilter
from dashboard.queries.letter_selection import Selection
from dashboard.queries.retries import Item, Operation, retries, retry
from dashboard.queries.retries import drafts as drafts_of
from dashboard.queries.retry_keys import keys_of

if TYPE_CHECKING:
    from dashboard.models import Person

PATIENCE = timedelta(seconds=20)
"""An accepted operation that has not begun after this long has no worker."""


@needs(Action.VIEW, post=Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_list(request: HttpRequest) -> HttpResponse:
    """All operations, unfinished first. POST freezes a selection as a plan, and sends nothing."""
    if request.method == "POST":
        return _freeze(request)
    moment = now()
    own = drafts_of(person_id=request.user.pk, since=moment - timedelta(hours=drafts.DRAFT_HOURS))
    within = shell.scope(request)
    facts = {
        "retries": retries(now=moment, clusters=within.chosen),
        "drafts": own,
        "may_retry": can(request.user, Action.RETRY),
    }
    return shell.page(
        request,
        "retries/retries.html",
        facts,
        section="retries",
        crumbs=[shell.Crumb("Retries")],
        streams=" ",
        within=within,
    )


def _freeze(request: HttpRequest) -> HttpResponse:
    by, moment, found = _asker(request), now(), Selection((), "nothing")
    try:
        found = chosen(request, _fields(request), most=MOST_LETTERS, may_read=can(request.user, Action.SEE_PAYLOADS))
        token = request.POST.get("token", "")
        made = drafts.freeze(found.letters, by, token=token, selection=found.words, now=moment)
    except BadFilter as problem:
        records.refused(by, moment, subject="dead letters", reason=str(problem))
        return _refused(request, found, str(problem))
    except Refusal as refusal:
        return _refused(request, found, str(refusal))
    return HttpResponseRedirect(reverse("retry_draft", args=[made.id]))


def _fields(request: HttpRequest) -> dict[str, Sequence[str]]:
    return {
        name: request.POST.getlist(name) for name in ("letter", "letters", "group", "within", "status", "q", "matching")
    }


def _refused(request: HttpRequest, found: Selection, error: str) -> HttpResponse:
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters")), shell.Crumb("Retry")]
    facts = {"error": error, "n": len(found.letters)}
    return shell.page(request, "retries/refused.html", facts, section="dead_letters", crumbs=crumbs, status=409)


@needs(Action.VIEW, post=Action.RETRY)
@require_http_methods(["GET", "HEAD", "POST"])
def retry_page(request: HttpRequest, number: int) -> HttpResponse:
    """One operation: what was sent where, and what came of it. POST pauses, resumes, continues, cancels the rest."""
    error = ""
    if request.method == "POST":
        try:
            _control(request, number)
            return HttpResponseRedirect(reverse("retry", args=[number]))
        except Refusal as refusal:
            error = str(refusal)
    moment = now()
    after = request.GET.get("after", "")
    cursor = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else None
    found = retry(number, now=moment, after=cursor)
    if found is None:
        raise Http404(f"There is no retry {number}.")
    facts = {
        "retry": found.row,
        "operation": found,
        "rows": [(item, _sent(item), _outcome(item)) for item in found.items],
        "n_ended": found.row.n_items - found.row.n_waiting,
        "n_left_out": sum(found.left_out.values()),
        "left_out": sorted(found.left_out.items(), key=lambda pair: -pair[1]),
        "already": request.GET.get("already") == "1",
        "error": error,
        "may_retry": can(request.user, Action.RETRY),
        "seen_at": moment,
        "keys": keys_of(number) if request.GET.get("by") == "key" else None,
        **_patience(found, (moment - (found.row.started_at or found.row.created_at)).total_seconds()),
    }
    crumbs = [shell.Crumb("Retries", reverse("retries")), shell.Crumb(f"#{number}")]
    return shell.page(
        request,
        "retries/retry.html",
        facts,
        section="retries",
        crumbs=crumbs,
        streams=" ",
        status=409 if error else 200,
    )


def _patience(found: Operation, waited_seconds: float) -> dict[str, object]:
    row = found.row
    no_worker = row.started_at is None and row.ended_at is None and row.status in {"requested", "running"}
    return {"waited_seconds": waited_seconds, "no_worker": no_worker and waited_seconds > PATIENCE.total_seconds()}


def _control(request: HttpRequest, number: int) -> None:
    by, moment, deed = _asker(request), now(), request.POST.get("do", "")
    deeds = {"pause": control.pause, "resume": control.resume, "continue": control.proceed, "cancel": control.cancel}
    if deed == "rate":
        try:
            per_second = float(request.POST.get("rate", ""))
        except ValueError:
            per_second = 0.0
        control.set_rate(number, by, now=moment, per_second=per_second)
    elif deed in deeds:
        deeds[deed](number, by, now=moment)


def _asker(request: HttpRequest) -> Asker:
    person = cast("Person", request.user)  # as `needs` made sure
    return Asker(person.pk, str(person), address_of(request))


def _sent(item: Item) -> str:
    """Where the copy is, as people type it; empty while nothing was sent."""
    return "" if item.sent_topic is None else f"{item.sent_topic}/{item.sent_partition}/{item.sent_offset}"


def _outcome(item: Item) -> str:
    """The item's status, or "no answer" once the wait for an outcome is over, or that its group tries it again."""
    if item.outcome == "no_answer":
        return "no_answer"
    return "in_retry" if item.in_retry else item.status


urlpatterns = [
    path("retries/", retry_list, name="retries"),
    path("retries/<int:number>/", retry_page, name="retry"),
]
