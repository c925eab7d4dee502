"""Signing in and out: passwords, tries, the session's start and end (docs/security.md S17-S20)."""

import secrets
from datetime import datetime
from typing import cast

from django.conf import settings
from django.contrib.auth import hashers, login, logout
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from collector import audit, clock
from collector.changes import announce
from dashboard import sessions, throttle
from dashboard.audit import address_of
from dashboard.models import Person

_BROWSER_SALT = "dashboard.signin.browser"
_BROWSER_AGE_SECONDS = 365 * 24 * 3600


class Passwords:
    """Django's authentication backend: one hash for a wrong, an unknown and an inactive name alike."""

    def authenticate(
        self, _request: HttpRequest | None, *, name: str | None = None, password: str | None = None
    ) -> Person | None:
        """The person, or None."""
        if name is None or password is None:
            return None
        person = Person.objects.filter(name=name).first()
        right = hashers.check_password(password, person.password if person else "")
        return person if person and right and person.is_active else None

    def get_user(self, person_id: int) -> Person | None:
        """The person of a session, while active."""
        return Person.objects.filter(pk=person_id, is_active=True).first()


class Throttled(Exception):
    """Too many tries; the next one has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too many tries. Try again in {max(1, round(seconds))} s.")
        self.seconds = max(1, round(seconds))


def sign_in(request: HttpRequest, *, name: str, password: str) -> Person | None:
    """Start a session. None: wrong, never which. Raises Throttled before any hash is made."""
    browser = _known_browser(request, name)
    held_against = throttle.keys(name, address_of(request), browser=browser)
    if wait := throttle.claim(held_against, now=clock.now()):
        raise Throttled(wait)
    person = Passwords().authenticate(request, name=name, password=password)
    if person is None:
        _note(request, "sign in", Person.objects.filter(name=name).first(), "failed")
        return None
    throttle.forgive(held_against)
    start(request, person)
    sessions.prove(request.session, now=clock.now())
    return person


def start(request: HttpRequest, person: Person) -> None:
    """A new session under a new key."""
    with transaction.atomic():
        login(request, person, backend="dashboard.signin.Passwords")
        sessions.begin(request.session, now=clock.now())
        _note(request, "sign in", person, "done")


def is_proved(request: HttpRequest, *, now: datetime) -> bool:
    """Whether the password was given in the last fifteen minutes (docs/security.md S21)."""
    return sessions.is_proved(request.session, now=now)


def prove(request: HttpRequest, password: str) -> bool:
    """Whether that is the password of who is signed in. Raises Throttled before any hash is made."""
    person = cast("Person", request.user)
    held_against = throttle.keys(person.name, address_of(request), browser=_known_browser(request, person.name))
    if wait := throttle.claim(held_against, now=clock.now()):
        raise Throttled(wait)
    if not hashers.check_password(password, person.password):
        _note(request, "confirm password", person, "failed")
        return False
    throttle.forgive(held_against)
    sessions.prove(request.session, now=clock.now())
    return True


def sign_out(request: HttpRequest) -> None:
    """End the session and close its sockets."""
    person = request.user
    if isinstance(person, Person):
        with transaction.atomic():
            _note(request, "sign out", person, "done")
            logout(request)
            announce("access", person.pk)


def remember_browser(request: HttpRequest, response: HttpResponse, name: str) -> None:
    """Let this browser answer for itself when `name` signs in again."""
    browser = _known_browser(request, name) or secrets.token_urlsafe(16)
    response.set_cookie(
        settings.WEIR_DEVICE_COOKIE_NAME,
        signing.dumps([browser, _name_mark(name)], salt=_BROWSER_SALT),
        max_age=_BROWSER_AGE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known_browser(request: HttpRequest, name: str) -> str | None:
    """The browser's id where it signed in as `name` before."""
    try:
        browser, mark = signing.loads(
            request.COOKIES.get(settings.WEIR_DEVICE_COOKIE_NAME, ""), salt=_BROWSER_SALT, max_age=_BROWSER_AGE_SECONDS
        )
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(browser) if mark == _name_mark(name) else None


def _name_mark(name: str) -> str:
    return salted_hmac("dashboard.signin.name", name, algorithm="sha256").hexdigest()[:32]


def _note(request: HttpRequest, action: str, person: Person | None, result: audit.Result) -> None:
    audit.append(
        at=clock.now(),
        person_id=person.pk if person else None,
        person_name=person.name if person else "nobody",
        action=action,
        object="",
        result=result,
        address=address_of(request),
    )
