"""Roles in Postgres for Weir's processes, each with what it needs: what a page lets in cannot change what was observed.

The owner of the tables migrates and holds no connection while Weir runs. `weir_collector` takes in (collect, fold,
sample, receive) and owns the partitioned tables, because it makes their leaves, and samples, whose indexes are made
anew. `weir_worker` is a member of it, since it does both, and sends retries beside. `weir_web` serves people.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import connection
from psycopg import sql

COLLECTOR, WORKER, WEB = ROLES = ("weir_collector", "weir_worker", "weir_web")
READ, ADD, WRITE = "select", "select, insert", "select, insert, update, delete"

PEOPLE = (
    "dashboard_person", "dashboard_allowance", "dashboard_keptpath", "dashboard_signinlink", "dashboard_signintries",
    "django_session",
)  # fmt: skip
ASKED = (
    "asked_edit", "declaration", "declared", "failure_count", "failure_fingerprint", "failure_group",
    "fingerprint_state", "layout", "layout_node", "letter_bell", "letter_fetch", "letter_rereading", "letter_state",
    "retry_count", "retry_head", "retry_item", "retry_log", "retry_operation", "stuck_limit", "target_right",
)  # fmt: skip
"""What people decide, or ask of the worker."""
SAMPLES = ("group_sample", "topic_sample")

# Every table that is not partitioned and not named here: read by all, written by collector and worker.
EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    **{table: {WEB: WRITE} for table in PEOPLE},
    **{table: {COLLECTOR: WRITE, WORKER: WRITE, WEB: WRITE} for table in ASKED},
    "dashboard_signintries": {WORKER: WRITE, WEB: WRITE},
    "django_session": {WORKER: WRITE, WEB: WRITE},
    "audit_entry": {WORKER: ADD, WEB: ADD},
    "lookup": {WORKER: WRITE, WEB: WRITE},
    "lookup_match": {WORKER: WRITE, WEB: READ},
    "part_report": {COLLECTOR: WRITE, WORKER: WRITE, WEB: WRITE},
    "token": {COLLECTOR: "select, update", WORKER: READ, WEB: "select, insert, update"},
    "mask_key": {COLLECTOR: READ, WORKER: READ, WEB: READ},
}
USUAL: Mapping[str, str] = {COLLECTOR: WRITE, WORKER: WRITE, WEB: READ}


@dataclass(frozen=True, slots=True)
class _Found:
    """Who owns the tables, and their names: plain ones, partitioned ones, and leaves of these."""

    owner: str
    plain: list[str]
    partitioned: list[str]
    leaves: list[str]


def statements() -> list[str]:
    """SQL that makes the roles and gives each its rights; again after every migration. For an administrator."""
    found = _found()
    return [*_roles(found.owner), *_schema(), *_of_partitions(found), *_of_plain(found.plain)]


def _roles(owner: str) -> Iterator[str]:
    for role in ROLES:  # without a password: who may log in is for the administrator to say
        yield _said("do $$ begin create role {role}; exception when duplicate_object then null; end $$", role=role)
        yield _said("alter role {role} set search_path = public", role=role)
        yield _said("grant {role} to {owner}", role=role, owner=owner)
    yield _said("grant {role} to {member}", role=COLLECTOR, member=WORKER)


def _schema() -> Iterator[str]:
    yield "revoke create on schema public from public"
    yield _said("grant create on schema public to {role}", role=COLLECTOR)
    for role in ROLES:
        yield _said("grant usage on schema public to {role}", role=role)
        yield _said("grant usage on all sequences in schema public to {role}", role=role)


def _of_partitions(found: _Found) -> Iterator[str]:
    for table in (*found.partitioned, *found.leaves, *SAMPLES):
        yield _said("alter table {table} owner to {role}", table=table, role=COLLECTOR)
        yield _said(f"grant {READ} on {{table}} to {{role}}", table=table, role=WEB)
    for maker in (COLLECTOR, WORKER):  # leaves to come, where one is asked for by its own name
        for role, rights in ((COLLECTOR, WRITE), (WEB, READ)):
            granted = (
                f"alter default privileges for role {{maker}} in schema public grant {rights} on tables to {{role}}"
            )
            yield _said(granted, maker=maker, role=role)


def _of_plain(tables: Iterable[str]) -> Iterator[str]:
    for table in tables:
        for role in ROLES:
            yield _said("revoke all on {table} from {role}", table=table, role=role)
            if rights := EXCEPTIONS.get(table, USUAL).get(role):
                yield _said(f"grant {rights} on {{table}} to {{role}}", table=table, role=role)


def _found() -> _Found:
    """Two statements."""
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        owner = str(cursor.fetchone()[0])
        cursor.execute(
            "select relname::text, relkind = 'p', relispartition from pg_class"
            " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by relname"
        )
        rows = cursor.fetchall()
    return _Found(
        owner,
        plain=[name for name, is_partitioned, is_leaf in rows if not (is_partitioned or is_leaf or name in SAMPLES)],
        partitioned=[name for name, is_partitioned, _ in rows if is_partitioned],
        leaves=[name for name, is_partitioned, is_leaf in rows if is_leaf and not is_partitioned],
    )


def _said(statement: str, **names: str) -> str:
    composed = sql.SQL(statement).format(**{key: sql.Identifier(name) for key, name in names.items()})
    return composed.as_string()
