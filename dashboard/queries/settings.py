"""What Weir is told, by whom and since when: the declared tables, and who may sign in or send."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from collector.config import declared

MOST_LISTED = 500  # of tokens, and of people
KINDS = (
    ("clusters", "Clusters", "Kafka clusters, in the place of the one that the environment names."),
    ("inputs", "Trace topics", "Topics that hold OTLP, as an OpenTelemetry Collector writes them."),
    ("taps", "Taps", "Which topics are read, of which payloads are kept, and what business keys are."),
    ("drop", "Drop rules", "Gone before anything is stored. Never of dead letters."),
    ("mask", "Mask rules", "Hidden wherever it is shown, searched or exported."),
    ("dead_letters", "Dead letters", "Topics whose headers an admin described."),
    ("retries", "Retries", "Where dead letters may go besides their origin, without a look at what lies there."),
    ("owners", "Owners", "Who looks after services, topics and groups."),
    ("readers", "Readers", "In which group a service reads, where its spans do not say."),
    ("stuck", "Limits", "After how long an event counts as stuck."),
    ("permissions", "Permissions", "What may be done with dead letters beyond the roles."),
)


@dataclass(frozen=True, slots=True)
class Named:
    """One declared table: its name, "" where its kind has only one, and its fields as they are written."""

    name: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """All declared tables of a kind."""

    key: str
    title: str
    sentence: str
    tables: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What was declared. `version` 0: nothing yet."""

    version: int
    by: str
    at: datetime | None
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token, without anything that opens something. `state`: valid, expired or revoked."""

    public_id: str
    kind: str
    name: str
    owner: str | None
    scopes: tuple[str, ...]
    cluster: str | None
    expires_at: datetime
    last_used_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who may sign in, or might once. Without a password (a script) only tokens act under the name."""

    name: str
    role: str
    is_active: bool
    has_password: bool
    created_at: datetime


def standing() -> Standing:
    """The declaration as it was written; its secrets are references. Two statements."""
    body = declared.body()
    with connection.cursor() as cursor:
        cursor.execute("select version, applied_by, applied_at from declaration")
        version, by, at = cursor.fetchone()
    return Standing(version, by, at, tuple(Kind(key, title, said, _tables(key, body)) for key, title, said in KINDS))


def tokens(*, now: datetime) -> tuple[TokenRow, ...]:
    """All tokens, those that open something first, then the newest; at most 500. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select t.public_id, t.kind, t.name, p.name, t.scopes, c.name, t.expires_at, t.last_used_at,"
            " case when t.revoked_at <= %(now)s then 'revoked' when t.expires_at <= %(now)s then 'expired'"
            " else 'valid' end state from token t left join dashboard_person p on p.id = t.person_id"
            " left join cluster c on c.id = t.cluster_id"
            " order by (t.revoked_at is null or t.revoked_at > %(now)s) and t.expires_at > %(now)s desc,"
            " t.created_at desc limit %(most)s",
            {"now": now, "most": MOST_LISTED},
        )
        return tuple(
            TokenRow(number, kind, name, owner, tuple(scopes), *rest)
            for number, kind, name, owner, scopes, *rest in cursor.fetchall()
        )


def people() -> tuple[PersonRow, ...]:
    """Everybody, admins first; at most 500. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select name, role, is_active, password not like '!%%', created_at from dashboard_person"
            " order by is_active desc, array_position(array['admin', 'operator', 'viewer'], role::text), name limit %s",
            [MOST_LISTED],
        )
        return tuple(PersonRow(*row) for row in cursor.fetchall())


def _tables(kind: str, body: Mapping[str, Any]) -> tuple[Named, ...]:
    held = body.get(kind)
    if not held:
        return ()
    if kind in {"taps", "permissions"}:
        return (Named("", _fields(held)),)
    return tuple(Named(name, _fields(fields)) for name, fields in sorted(held.items()))


def _fields(table: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _written(value)) for name, value in table.items())


def _written(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_written(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
