"""The only permission rule: who may do what. Denied unless it is written here."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar, cast
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url

P = ParamSpec("P")
R = TypeVar("R")


class Action(StrEnum):
    """What a page, an API operation or a socket lets its caller do."""

    ENTER = "enter"  # open to everybody: the login page, the probes
    VIEW = "view"
    SEE_PAYLOADS = "see payloads"  # values, and headers' values; keys are metadata, which every viewer sees
    RETRY = "retry"
    KEEP_PATHS = "keep paths"  # beyond what is kept of spans
    TRIAGE = "sort dead letters"  # archive, restore, assign, note
    SET_LIMITS = "set limits"  # after how long an event counts as stuck
    EXPORT = "export dead letters"  # where the settings file allows it
    DESCRIBE = "describe dead letters"  # say what the headers of a dead-letter topic mean
    ARRANGE = "arrange the graph"  # the one layout that everybody sees
    UNMASK = "unmask values"  # for a while, in a session; no token's scope opens it
    SEE_SETTINGS = "see settings"  # everything but their names
    SEE_AUDIT = "see the audit log"  # one's own rows
    SEE_ALL_AUDIT = "see everybody's audit log"


_VIEWER = frozenset({Action.ENTER, Action.VIEW, Action.SEE_AUDIT})
_OPERATOR = _VIEWER | {
    Action.SEE_PAYLOADS,
    Action.RETRY,
    Action.TRIAGE,
    Action.ARRANGE,
    Action.KEEP_PATHS,
    Action.SET_LIMITS,
    Action.EXPORT,
}
_ADMIN = _OPERATOR | {Action.SEE_ALL_AUDIT, Action.DESCRIBE, Action.UNMASK, Action.SEE_SETTINGS}
OF_ROLE = {"viewer": _VIEWER, "operator": _OPERATOR, "admin": _ADMIN}
"""Each role includes the one before (docs/security.md)."""

OF_SCOPE = {
    "read": frozenset({Action.VIEW, Action.SEE_AUDIT}),
    "export": frozenset({Action.EXPORT}),
    "payload": frozenset({Action.SEE_PAYLOADS, Action.KEEP_PATHS}),
    "retry": frozenset({Action.RETRY, Action.TRIAGE}),
    "admin": frozenset({Action.SEE_ALL_AUDIT, Action.DESCRIBE}),
}
"""What each scope of an API token opens, as far as its owner may do it too."""

_SENTENCES = {
    Action.VIEW: "This page needs the viewer role.",
    Action.SEE_PAYLOADS: "Payloads need the operator role.",
    Action.RETRY: "Retry needs the operator role.",
    Action.KEEP_PATHS: "Keeping a path needs the operator role.",
    Action.TRIAGE: "Sorting dead letters needs the operator role.",
    Action.SET_LIMITS: "Setting limits needs the operator role.",
    Action.EXPORT: "Exports need the operator role, and a settings file that allows them.",
    Action.DESCRIBE: "Saying where dead letters came from needs the admin role.",
    Action.ARRANGE: "Arranging the graph needs the operator role.",
    Action.UNMASK: "Unmasking needs the admin role.",
    Action.SEE_SETTINGS: "Settings are changed by admins.",
    Action.SEE_AUDIT: "The audit log needs the viewer role.",
    Action.SEE_ALL_AUDIT: "Everybody's audit log needs the admin role.",
}


class Somebody(Protocol):
    """A person, signed in or not."""

    @property
    def is_authenticated(self) -> bool: ...
    @property
    def is_active(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """The holder of an API token: never more than its scopes, never more than its owner may do now."""

    person: Somebody
    scopes: frozenset[str]
    public_id: str


class Refused(PermissionDenied):
    """The caller is known, and may not do this."""

    def __init__(self, action: Action) -> None:
        super().__init__(sentence(action))
        self.action = action


def can(actor: "Somebody | Bearer | None", action: Action) -> bool:
    """Whether `actor` may do `action` now."""
    if action is Action.ENTER:
        return True
    if isinstance(actor, Bearer):
        opened = frozenset[Action]().union(*(OF_SCOPE.get(scope, frozenset()) for scope in actor.scopes))
        return action in opened and can(actor.person, action)
    if actor is None or not actor.is_authenticated or not actor.is_active:
        return False
    return action in OF_ROLE.get(getattr(actor, "role", ""), frozenset())


def sentence(action: Action) -> str:
    """The line that stands where an action is not offered, and that answers a forced request."""
    return _SENTENCES.get(action, "This needs another role.")


def actor_of(request: HttpRequest) -> "Somebody | Bearer":
    """Who asks: the token's holder where the API found one, else the person of the session."""
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, Bearer) else request.user


def needs(action: Action, *, post: Action | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a page or an API operation with the action it lets its caller do; `post` where POST does another.

    Signed out: a page leads to the login and back, a script's fetch gets 401. Not allowed: raises Refused, which
    becomes 403 (dashboard/pages/errors.py, dashboard/api/problems.py).
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(view):
            raise TypeError(f"{view.__qualname__} is asynchronous: its permission could not be checked.")

        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            request = cast("HttpRequest", args[0])
            wanted = post if post and request.method == "POST" else action
            actor = actor_of(request)
            if can(actor, wanted):
                return view(*args, **kwargs)
            if not isinstance(actor, Bearer) and not (actor.is_authenticated and actor.is_active):
                return cast("R", _sign_in_first(request))
            vars(request)["refused"] = wanted  # noted by dashboard/audit.py when the answer leaves
            raise Refused(wanted)

        vars(checked)["actions"] = (action, post or action)  # a view without it is refused at start (weir.E212)
        return checked

    return decorate


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    """To the login and back to the full address; after a POST to the overview, for nothing may be sent by itself."""
    if request.headers.get("Sec-Fetch-Dest") == "empty":
        return HttpResponse("Your session ended. Sign in again.", status=401, content_type="text/plain")
    back = request.get_full_path() if request.method in {"GET", "HEAD"} else "/"
    login = resolve_url(settings.LOGIN_URL)
    return HttpResponseRedirect(f"{login}?next={quote(back, safe='/')}" if back != "/" else login)
