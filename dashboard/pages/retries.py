"""Retries: did the retry really work? And what people do with one that runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
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
from dashboard.charts import age_caption, by_name, chart, lag_caption, renewed, without_ages
from dashboard.crowding import heavy_where
from dashboard.payload_searches import chosen
from dashboard.queries.freshness import freshness
from dashboard.queries.letter_filter import BadFilter
from dashboard.queries.letter_selection import Selection
from dashboard.queries.retries import Item, Operation, retries, retry
from dashboard.queries.retries import drafts as drafts_of
from dashboard.queries.retry_keys import keys_of
from dashboard.queries.retry_lag import run_of, target_lag
from dashboard.queries.retry_steps import LogLine

if TYPE_CHECKING:
    from dashboard.models import Person

PATIENCE = timedelta(seconds=20)
"""An accepted operation that has not begun after this long has no worker."""
VIEWS = (("", "Letters"), ("key", "Outcomes by key"), ("lag", "Target lag"))


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
@heavy_where(lambda request: request.GET.get("by") == "lag")
@require_http_methods(["GET", "HEAD", "POST"])
def retry_page(request: HttpRequest, number: int) -> HttpResponse:
    """One operation: what was sent where, and what came of it. POST pauses, resumes, continues, cancels the rest.

    `by=key` shows outcomes by key, `by=lag` the lag of the groups on its target, whose charts are a part.
    """
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
    drawn = _drawn(request, found, moment) if request.GET.get("by") == "lag" else None
    if drawn and shell.wants_part(request, "charts"):
        return JsonResponse(renewed(drawn, freshness(now=moment).only([found.row.cluster])))
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
        "views": VIEWS,
        "view": (view := request.GET.get("by", "") if request.GET.get("by") in dict(VIEWS) else ""),
        "keys": keys_of(number) if view == "key" else None,
        "drawn": drawn,
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


def _drawn(request: HttpRequest, found: Operation, moment: datetime) -> dict[str, Any] | None:
    """The charts of those who read the target, with what was done with the operation; None where nothing is to be sent.

    Over the time around the operation, or what was chosen of it.
    """
    row, whole = found.row, not request.GET.keys() & {"from", "to"}
    span = (
        run_of(since=row.started_at or row.created_at, ended_at=row.ended_at, now=moment)
        if whole
        else shell.window(request)
    )
    lag = target_lag(row.id, span, topic=request.GET.get("target", ""), now=moment)
    if lag is None:
        return None
    lines = lag.lines
    draw = partial(chart, lines, highest=lines.by_sums, over="read no more")
    return {
        "lag": lag,
        "whole": whole,
        "too_old": span.to_at < moment - settings.WEIR_KEEP_CHUNKS,
        "keeps": settings.WEIR_KEEP_CHUNKS.total_seconds(),
        "charts": {
            "ages": draw(by_name(lines.ages), "s", none=without_ages(lines)),
            "lags": draw(by_name(lines.lags), "offsets"),
        },
        "captions": {"ages": age_caption(lines), "lags": lag_caption(lines)},
        "shown_marks": [_mark(line) for line in found.log],
    }


def _mark(line: LogLine) -> dict[str, object]:
    """What was done with an operation, as a mark of its charts; `key` names its line in the log."""
    at = f"{line.at.day} {line.at:%b %H:%M:%S}"
    return {"at": line.at.timestamp(), "key": line.key, "kind": "retry", "text": f"{at} {line.sentence}"}


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
