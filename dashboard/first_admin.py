"""The link that makes the first admin: once, for ten minutes, from this machine (docs/security.md S18)."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth import hashers
from django.db import connection, models, transaction
from django.http import HttpRequest

from collector import audit
from dashboard import addresses
from dashboard.audit import address_of
from dashboard.models import Person, Role, SignInLink

LIFE = timedelta(minutes=10)
_LOCK = 7_203_114_551  # any number that nothing else locks


class NameTaken(Exception):
    """Somebody has this name already."""


class LinkEnded(Exception):
    """This link was used, is too old, or there is an admin already."""


def new_link(*, now: datetime) -> str | None:
    """The secret of a new link, which ends all earlier ones; None where there is an admin."""
    with transaction.atomic():
        _take_turns()
        if _has_admin():
            return None
        SignInLink.objects.all().delete()
        secret = secrets.token_urlsafe(32)
        SignInLink.objects.create(digest=_digest(secret), expires_at=now + LIFE)
    return secret


def is_open(secret: str, *, now: datetime) -> bool:
    """Whether the link would work now; looking does not use it up, so a link preview does no harm."""
    return _open(secret, now).exists() and not _has_admin()


def use(secret: str, *, name: str, password: str, request: HttpRequest, now: datetime) -> Person:
    """Make the first admin. Raises LinkEnded and NameTaken; of many at once one gets through."""
    encoded = hashers.make_password(password)
    with transaction.atomic():
        _take_turns()
        if _has_admin() or _open(secret, now).update(used_at=now) != 1:
            raise LinkEnded
        if Person.objects.filter(name=name).exists():
            raise NameTaken
        person = Person.objects.create(name=name, password=encoded, role=Role.ADMIN, created_at=now)
        audit.append(
            at=now,
            person_id=person.pk,
            person_name=person.name,
            action="create the first admin",
            object=person.name,
            result="done",
            address=address_of(request),
        )
    return person


def may_use(request: HttpRequest) -> bool:
    """Whether the request comes from this machine and through no proxy."""
    state = getattr(request, "scope", {}).get("state", {})
    return (
        not state.get("proxied", False)
        and addresses.is_loopback(address_of(request))
        and addresses.is_loopback(addresses.host_name(request.get_host()))
    )


def _open(secret: str, now: datetime) -> models.QuerySet[SignInLink]:
    return SignInLink.objects.filter(digest=_digest(secret), used_at=None, expires_at__gt=now)


def _has_admin() -> bool:
    return Person.objects.filter(role=Role.ADMIN, is_active=True).exists()


def _take_turns() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
