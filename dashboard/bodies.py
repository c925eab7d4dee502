"""Refuses requests whose text Postgres cannot hold: NUL and lone surrogates (docs/security.md S9)."""

import json
import re
from collections.abc import Callable, Iterable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class Unstorable(SuspiciousOperation):
    """The request holds a character that cannot be stored; answered with 400."""


class RefuseUnstorable:
    """Middleware: address, form fields and JSON are looked at before any view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Raises Unstorable; Django answers 400 in our own page."""
        if any(_UNSTORABLE.search(text) for text in _texts(request)):
            raise Unstorable("The request holds a NUL character or a lone surrogate.")
        return self._get_response(request)


def _texts(request: HttpRequest) -> Iterable[str]:
    yield request.path
    for name, values in request.GET.lists():
        yield from (name, *values)
    if request.method in {"GET", "HEAD"}:
        return
    for name, values in request.POST.lists():
        yield from (name, *values)
    if request.content_type not in _FORMS:  # whatever it calls itself: the API reads it as JSON
        yield from _of_json(request.body)


def _of_json(body: bytes) -> Iterable[str]:
    """Texts of a JSON body; decoded only when it holds an escape that could be at fault."""
    if not _ESCAPES.search(body):
        return
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return  # the view says what is wrong with it
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend((*value, *value.values()))
