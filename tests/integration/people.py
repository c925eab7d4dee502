"""People, their sessions and their tokens for tests."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client

from collector.clock import now
from collector.config import tokens
from dashboard.models import Person

PASSWORD = "a phrase of several words"
_ENCODED: list[str] = []


def person(name: str, role: str = "viewer", *, is_active: bool = True) -> Person:
    """Somebody with PASSWORD, hashed once for all tests."""
    if not _ENCODED:
        _ENCODED.append(make_password(PASSWORD))
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Person.objects.create(name=name, role=role, password=_ENCODED[0], is_active=is_active, created_at=made_at)


def signed_in(somebody: Person) -> Client:
    """A browser in which `somebody` signed in by the form."""
    client = Client()
    response = client.post("/login/", {"name": somebody.name, "password": PASSWORD})
    assert response.status_code == 302, response.content[:500]
    return client


def token_of(somebody: Person | None, *scopes: str, kind: tokens.Kind = "api") -> str:
    """A token that lives for 90 days."""
    return tokens.mint(kind, "test", person_id=somebody.pk if somebody else None, scopes=scopes, now=now(), days=90)


def bearer(token: str) -> dict[str, str]:
    """Headers for Django's test client."""
    return {"authorization": f"Bearer {token}"}


def audit_rows(*columns: str, actions: Collection[str] = ()) -> list[tuple[object, ...]]:
    """The audit log, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(columns)} from audit_entry order by id")
        rows = [tuple(row) for row in cursor.fetchall()]
    return [row for row in rows if not actions or row[0] in actions]
