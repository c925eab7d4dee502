"""Export dead letters as a file: what the list shows, as CSV or JSON lines, where the settings file allows it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from threading import BoundedSemaphore

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_safe

from collector.config import declared
from dashboard.access import Action, Refused, can, needs
from dashboard.audit import recorded
from dashboard.queries import letter_export
from dashboard.queries.dead_letters import STATUSES
from dashboard.queries.hiding import masked_topics
from dashboard.queries.letter_filter import BadFilter, Condition, condition

_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
_PIECES = 200  # lines that are sent together
MOST_AT_ONCE = 2  # in one web process
_running = BoundedSemaphore(MOST_AT_ONCE)
_TURN_SECONDS = 0.1  # between two looks of one that came in at the same moment as others
_FULL = "Two exports are running. Try again when one has ended.\n"


@needs(Action.EXPORT)
@require_safe
def export_letters(request: HttpRequest, form: str) -> HttpResponseBase:
    """The newest letters that match, at most 10,000; values and headers only in JSON, for who may see payloads."""
    if form not in _TYPES:
        raise Http404("There is no such form: csv or jsonl.")
    if not declared.document().permissions.export:
        vars(request)["refused"] = Action.EXPORT
        raise Refused(Action.EXPORT)
    if not _has_room():
        return HttpResponse(_FULL, status=429, content_type="text/plain", headers={"Retry-After": "10"})
    query, status, group = (request.GET.get(name, "") for name in ("q", "status", "group"))
    status = status if status in STATUSES else ""
    with recorded("export dead letters", request, object=f"{form}: {status or 'all'} {query}".strip()) as deed:
        with_payloads = form == "jsonl" and can(request.user, Action.SEE_PAYLOADS)
        deed.facts |= {"payloads": with_payloads, **({"failure_group": int(group)} if _is_id(group) else {})}
    lines = _lines(form, with_payloads=with_payloads)
    found = letter_export.exported(
        lines,
        status=status or None,
        failure_group=int(group) if _is_id(group) else None,
        filtered=_filtered(query, may_read=can(request.user, Action.SEE_PAYLOADS)),
        cut=letter_export.csv_cut if form == "csv" else letter_export.json_cut,
    )
    head = letter_export.head() if form == "csv" else ""
    return StreamingHttpResponse(
        _sent(head, found),
        content_type=_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="dead-letters.{form}"'},
    )


def _has_room() -> bool:
    if not _running.acquire(blocking=False):
        return False
    _running.release()  # what counts is taken when the file is begun: an answer that nobody reads holds nothing
    return True


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _filtered(query: str, *, may_read: bool) -> Condition:
    """As the list does, but that what is no filter finds nothing: a file with more than was asked for misleads."""
    try:
        return condition(query, masked=masked_topics(), may_read=may_read)
    except BadFilter:
        return Condition("false", {}, ())


def _lines(form: str, *, with_payloads: bool) -> letter_export.Lines:
    if form == "csv":
        return letter_export.as_csv
    return letter_export.as_json_with_payloads if with_payloads else letter_export.as_json


async def _sent(head: str, lines: Iterator[str]) -> AsyncIterator[str]:
    """Piece by piece; each piece is read in a thread, as Django's database wants it."""

    def piece() -> str:
        return "".join(islice(lines, _PIECES))

    def let_go() -> None:  # each thread has a connection of its own, and that one may live on
        connection.close()

    while not _running.acquire(blocking=False):
        await asyncio.sleep(_TURN_SECONDS)
    try:
        if head:
            yield head
        while text := await sync_to_async(piece)():
            yield text
    finally:
        _running.release()
        await sync_to_async(let_go)()


urlpatterns = [
    path("dead-letters/export.<str:form>", export_letters, name="export_letters"),
]
