"""When a session is over: idle, too old, or its person's rights changed (docs/security.md S19, S20)."""

from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from collector import clock
from dashboard.models import Role

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
LONGEST_OF_VIEWER = timedelta(days=30)  # wall screens
SEEN_BY_PAGE = timedelta(minutes=1)
SEEN_BY_SOCKET = timedelta(minutes=10)  # of twelve hours; a thousand wall screens write two rows a second then
PROVED_FOR = timedelta(minutes=15)
_SIGNED_IN, _SEEN, _PROVED = "signed_in_at", "seen_at", "proved_at"


class HasRole(Protocol):
    """A signed-in person."""

    role: str


def begin(session: SessionBase, *, now: datetime) -> None:
    """Note the start of a session."""
    session[_SIGNED_IN] = session[_SEEN] = int(now.timestamp())


def is_over(session: SessionBase | Mapping[str, Any], person: HasRole, *, now: datetime) -> bool:
    """Whether the session has been idle or alive for too long; one without its marks is over."""
    signed_in_at, seen_at = _at(session, _SIGNED_IN), _at(session, _SEEN)
    if signed_in_at is None or seen_at is None:
        return True
    longest = LONGEST_OF_VIEWER if person.role == Role.VIEWER else LONGEST
    return now - seen_at > IDLE or now - signed_in_at > longest


def prove(session: SessionBase, *, now: datetime) -> None:
    """Note that the password was given."""
    session[_PROVED] = int(now.timestamp())


def is_proved(session: SessionBase, *, now: datetime) -> bool:
    """Whether it was given a short while ago, so that a browser that was left open is none of somebody else."""
    proved_at = _at(session, _PROVED)
    return proved_at is not None and now - proved_at <= PROVED_FOR


def touch(session: SessionBase | MutableMapping[str, Any], *, now: datetime, every: timedelta = SEEN_BY_PAGE) -> bool:
    """Note that the session is in use, not more often than `every`; True when the caller has something to save."""
    seen_at = _at(session, _SEEN)
    if seen_at is not None and now - seen_at <= every:
        return False
    session[_SEEN] = int(now.timestamp())
    return True


class SessionLimits:
    """Middleware: ends sessions that are over."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, after the session was looked at; without its cookie the database is not asked."""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            if is_over(request.session, request.user, now=clock.now()):
                logout(request)
            else:
                touch(request.session, now=clock.now())
        return self._get_response(request)


def _at(session: SessionBase | Mapping[str, Any], name: str) -> datetime | None:
    seconds = session.get(name)
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None
