"""How many long questions one person may ask at once: four in a web process (docs/security.md, S61)."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from dashboard.access import Bearer, actor_of

P = ParamSpec("P")
R = TypeVar("R")
MOST_AT_ONCE = 4
MOST_WAITING = 4  # of a person: who waits keeps a connection to the database from others
WAIT_SECONDS = 2.0  # for a place: who opens five events in tabs is let in
_STATUS, _HEADING = 429, "Too many questions at once"
_SENTENCE = "Four of your questions are being answered. Ask again when one of them is done."


class Places:
    """Who is being answered. Any thread may call it."""

    def __init__(self, *, most: int = MOST_AT_ONCE, wait_seconds: float = WAIT_SECONDS) -> None:
        self._most = most
        self._wait_seconds = wait_seconds
        self._held: Counter[object] = Counter()
        self._waiting: Counter[object] = Counter()
        self._freed = threading.Condition()

    @contextmanager
    def taken(self, person: object) -> Iterator[bool]:
        """A place of this person's while the block runs; False where none became free in time, or too many wait."""
        with self._freed:
            is_mine = self._is_free(person) or self._comes_free(person)
            if is_mine:
                self._held[person] += 1
        try:
            yield is_mine
        finally:
            if is_mine:
                self._give_back(person)

    @property
    def n_people(self) -> int:
        """How many people hold places."""
        return len(self._held)

    @property
    def n_waiting(self) -> int:
        """How many questions wait."""
        return self._waiting.total()

    def _is_free(self, person: object) -> bool:
        return self._held[person] < self._most

    def _comes_free(self, person: object) -> bool:
        if self._waiting[person] >= MOST_WAITING:
            return False
        self._waiting[person] += 1
        try:
            return self._freed.wait_for(lambda: self._is_free(person), self._wait_seconds)
        finally:
            self._waiting[person] -= 1
            if not self._waiting[person]:
                del self._waiting[person]

    def _give_back(self, person: object) -> None:
        with self._freed:
            self._held[person] -= 1
            if not self._held[person]:
                del self._held[person]
            self._freed.notify_all()


places = Places()


def heavy(view: Callable[P, R]) -> Callable[P, R]:
    """Decorate what may take long below `access.needs`. One too many is answered with 429 and Retry-After."""

    @wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> R:
        request = cast("HttpRequest", args[0])
        with places.taken(_person(request)) as is_mine:
            return view(*args, **kwargs) if is_mine else cast("R", _refusal(request))

    vars(answered)["is_heavy"] = True
    return answered


def heavy_where(is_heavy: Callable[[HttpRequest], bool]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate what takes long for some requests only: these count, the others are always answered."""

    def decorated(view: Callable[P, R]) -> Callable[P, R]:
        counted = heavy(view)

        @wraps(view)
        def answered(*args: P.args, **kwargs: P.kwargs) -> R:
            return (counted if is_heavy(cast("HttpRequest", args[0])) else view)(*args, **kwargs)

        return answered

    return decorated


def _person(request: HttpRequest) -> object:
    actor = actor_of(request)
    return getattr(actor.person if isinstance(actor, Bearer) else actor, "pk", None)


def _refusal(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse
    if isinstance(actor_of(request), Bearer):
        problem = {"type": "about:blank", "title": _HEADING, "status": _STATUS, "detail": _SENTENCE}
        answer = JsonResponse(problem, status=_STATUS, content_type="application/problem+json")
    else:
        facts = {"title": f"{_HEADING} · Weir", "heading": _HEADING, "sentence": _SENTENCE, "status": _STATUS}
        answer = render(request, "errors/error.html", facts, status=_STATUS)
    answer["Retry-After"] = "1"
    return answer
