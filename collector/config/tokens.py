"""Tokens of scripts and senders: shown once, kept as a hash, found by a public id (docs/security.md S23-S25)."""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Literal

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.changes import announce

Kind = Literal["api", "ingest"]
SCOPES = {"api": frozenset({"read", "payload", "export", "retry", "admin"}), "ingest": frozenset({"ingest"})}
DEFAULT_DAYS = {"api": 90, "ingest": 366}
MOST_DAYS = 366
_FORM = re.compile(r"weir_(api|ingest)_([a-z2-7]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_LAST_USE_EVERY = timedelta(minutes=1)
_BOTH_VALID = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Token:
    """A valid token. `person_id`: whose rights bound it; None for a sender's."""

    public_id: str
    kind: Kind
    name: str
    person_id: int | None
    scopes: frozenset[str]
    cluster_id: int | None
    expires_at: datetime


class NoSuchCluster(ValueError):
    """No cluster of that name is known. It is there as soon as collector or sampler have started with it."""


class NotAToken(ValueError):
    """A token lives 1 to 366 days and has at least one scope of its kind."""


def mint(
    kind: Kind,
    name: str,
    *,
    person_id: int | None,
    scopes: Collection[str],
    now: datetime,
    days: int | None = None,
    cluster: str | None = None,
) -> str:
    """Store a new token and return its text, which nothing can show again. Raises NotAToken, NoSuchCluster.

    `cluster`: where spans belong that come by this token and name none.
    """
    days = DEFAULT_DAYS[kind] if days is None else days
    if not 1 <= days <= MOST_DAYS or not scopes or not SCOPES[kind].issuperset(scopes):
        raise NotAToken(NotAToken.__doc__)
    public_id, secret = _public_id(), secrets.token_urlsafe(32)
    ends_at = now + timedelta(days=days)
    with connection.cursor() as cursor:
        cluster_id = _cluster_id(cursor, cluster) if cluster else None
        cursor.execute(
            "insert into token (public_id, digest, kind, name, person_id, scopes, created_at, expires_at, cluster_id)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [public_id, _digest(secret), kind, name, person_id, sorted(scopes), now, ends_at, cluster_id],
        )
    return f"weir_{kind}_{public_id}_{secret}"


def find(text: str, now: datetime) -> Token | None:
    """The valid token that `text` is, or None: unknown, expired, revoked. Notes its use once a minute."""
    form = _FORM.fullmatch(text)
    if not form:
        return None
    kind, public_id, secret = form.groups()
    with connection.cursor() as cursor:
        cursor.execute(
            "select digest, kind, name, person_id, scopes, cluster_id, expires_at, last_used_at from token"
            " where public_id = %s and expires_at > %s and (revoked_at is null or revoked_at > %s)",
            [public_id, now, now],
        )
        row = cursor.fetchone()
        if row is None or row[1] != kind or not compare_digest(bytes(row[0]), _digest(secret)):
            return None
        if row[7] is None or row[7] < now - _LAST_USE_EVERY:
            cursor.execute("update token set last_used_at = %s where public_id = %s", [now, public_id])
    return Token(public_id, row[1], row[2], row[3], frozenset(row[4]), row[5], row[6])


def _cluster_id(cursor: CursorWrapper, name: str) -> int:
    cursor.execute("select id from cluster where name = %s and id > 0", [name])
    if row := cursor.fetchone():
        return int(row[0])
    raise NoSuchCluster(f"There is no cluster {name}. It is known as soon as collector or sampler observe it.")


def revoke(public_id: str, *, now: datetime) -> bool:
    """End a token now; False where there is none that is valid."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update token set revoked_at = %(now)s where public_id = %(id)s and expires_at > %(now)s"
            " and (revoked_at is null or revoked_at > %(now)s)",
            {"id": public_id, "now": now},
        )
        is_ended = bool(cursor.rowcount)
    if is_ended:
        announce("access")
    return is_ended


def rotate(public_id: str, *, now: datetime) -> str | None:
    """A new token with the same rights and as long a life; the old one goes on for a day. None where none is valid."""
    new_id, secret = _public_id(), secrets.token_urlsafe(32)
    with connection.cursor() as cursor:
        cursor.execute(
            "with old as (update token set revoked_at = least(coalesce(revoked_at, 'infinity'), %(ends)s)"
            "   where public_id = %(id)s and expires_at > %(now)s and (revoked_at is null or revoked_at > %(now)s)"
            "   returning *)"
            " insert into token (public_id, digest, kind, name, person_id, scopes, cluster_id, created_at, expires_at)"
            " select %(new)s, %(digest)s, kind, name, person_id, scopes, cluster_id, %(now)s,"
            "  %(now)s + (expires_at - created_at) from old returning kind",
            {
                "id": public_id,
                "new": new_id,
                "digest": _digest(secret),
                "now": now,
                "ends": now + _BOTH_VALID,
            },
        )
        row = cursor.fetchone()
    return f"weir_{row[0]}_{new_id}_{secret}" if row else None


def _public_id() -> str:
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(16))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
