"""Retries: did the retry really work?"""

from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse

from collector.clock import now
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.queries.retries import Item, retries, retry

PATIENCE = timedelta(seconds=20)
"""An accepted operation that has not begun after this long has no worker."""


@needs(Action.VIEW)
def retry_list(request: HttpRequest) -> HttpResponse:
    """All operations, unfinished first."""
    return shell.page(
        request,
        "retries/retries.html",
        {"retries": retries()},
        section="retries",
        crumbs=[shell.Crumb("Retries")],
        streams=" ",
    )


@needs(Action.VIEW)
def retry_page(request: HttpRequest, number: int) -> HttpResponse:
    """One operation: what was sent where, and what came of it."""
    moment = now()
    after = request.GET.get("after", "")
    cursor = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else None
    found = retry(number, now=moment, after=cursor)
    if found is None:
        raise Http404(f"There is no retry {number}.")
    waited = moment - found.created_at
    facts = {
        "retry": found,
        "rows": [(item, _sent(item), _outcome(item)) for item in found.items],
        "n_ended": found.n_items - found.n_waiting,
        "already": request.GET.get("already") == "1",
        "waited_seconds": waited.total_seconds(),
        "no_worker": found.started_at is None and found.ended_at is None and waited > PATIENCE,
    }
    crumbs = [shell.Crumb("Retries", reverse("retries")), shell.Crumb(f"#{number}")]
    return shell.page(request, "retries/retry.html", facts, section="retries", crumbs=crumbs, streams=" ")


def _sent(item: Item) -> str:
    """Where the copy is, as people type it; empty while nothing was sent."""
    return "" if item.sent_topic is None else f"{item.sent_topic}/{item.sent_partition}/{item.sent_offset}"


def _outcome(item: Item) -> str:
    """The item's status, or "no answer" once the wait for an outcome is over."""
    return "no_answer" if item.outcome == "no_answer" else item.status


urlpatterns = [
    path("retries/", retry_list, name="retries"),
    path("retries/<int:number>/", retry_page, name="retry"),
]
