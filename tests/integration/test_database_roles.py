"""Each process's role in Postgres: it can do its work, and no more (docs/security.md, S64)."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from collector import clock, retention, tasks
from collector.config import tokens
from collector.folding.folder import Folder
from collector.kafka.memory_peek import MemoryPeek
from collector.lookups import answering
from collector.lookups.sifting import LookRules
from collector.store import sample_indexes
from collector.store.closing import close_full
from collector.store.partitions import make
from collector.store.roles import COLLECTOR, EXCEPTIONS, ROLES, SAMPLES, USUAL, WEB, WORKER, statements
from dashboard import tasks as dashboard_tasks
from tests.integration.intake_world import NOW, World, rows, sends
from tests.integration.letter_world import LetterWorld, dead_record
from tests.integration.people import PASSWORD, person, signed_in, token_of
from tests.integration.retry_world import RetryWorld, click
from tests.integration.test_access_matrix import PAGES, address

pytestmark = pytest.mark.django_db
RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")


@pytest.fixture(autouse=True)
def roles(db: None) -> None:
    """As `manage.py database_roles` says. Gone with the transaction."""
    out = StringIO()
    call_command("database_roles", stdout=out)
    said = out.getvalue().splitlines()
    assert (said[0], said[-1]) == ("begin;", "commit;")
    with connection.cursor() as cursor:
        cursor.execute("\n".join(said[1:-1]))


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"set role {role}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("reset role")


def is_refused(role: str, statement: str) -> bool:
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(f"set local role {role}")
                cursor.execute(statement)
                cursor.execute("reset role")
        except ProgrammingError as error:
            return getattr(error.__cause__, "sqlstate", None) == "42501"
    return False


def test_s64_the_command_may_be_run_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute(";\n".join(statements()))


def test_s64_grants_are_what_is_written_down_and_nothing_else() -> None:
    tables = {
        str(name): kind == "p" or name in SAMPLES
        for name, kind in rows(
            "select relname::text, relkind::text from pg_class where relnamespace = 'public'::regnamespace"
            " and relkind in ('r', 'p') and not relispartition"
        )
    }
    assert set(EXCEPTIONS) <= set(tables)
    held = {
        (str(table), str(role)): set(str(rights).split())
        for table, role, rights in rows(
            "select t, r, (select string_agg(p, ' ') from unnest(%s::text[]) p where has_table_privilege(r, t, p))"
            " from unnest(%s::text[]) t, unnest(%s::text[]) r",
            list(RIGHTS), list(tables), list(ROLES),
        )
        if rights
    }  # fmt: skip
    for table, is_the_collectors in tables.items():
        for role in ROLES:
            wanted = set((EXCEPTIONS.get(table, USUAL).get(role) or "").split(", ")) - {""}
            if is_the_collectors:
                wanted = {"select"} if role == WEB else set(RIGHTS)
            elif role == WORKER:  # what it is a member of may, too
                wanted |= set((EXCEPTIONS.get(table, USUAL).get(COLLECTOR) or "").split(", ")) - {""}
            assert held.get((table, role), set()) == wanted, (table, role)


def test_s64_what_a_process_does_not_need_it_may_not_do() -> None:
    for role, statement in (
        (WEB, "update span set duration_ms = 0"),
        (WEB, "delete from edge_10s"),
        (WEB, "insert into topic (cluster_id, name) values (0, 'x')"),
        (WEB, "update audit_entry set action = 'x'"),
        (WEB, "delete from token"),
        (WEB, "create table mine (a int)"),
        (WEB, "drop table retry_item"),
        (COLLECTOR, "select from dashboard_person"),
        (COLLECTOR, "select from django_session"),
        (COLLECTOR, "insert into audit_entry (at, person_name, action, result) values (now(), 'a', 'b', 'done')"),
        (COLLECTOR, "insert into token select * from token"),
        (COLLECTOR, "drop table cluster"),
        (WORKER, "select from dashboard_person"),
        (WORKER, "delete from audit_entry"),
        (WORKER, "alter table audit_entry disable trigger all"),
    ):
        assert is_refused(role, statement), (role, statement)


def test_s64_the_collector_stores_and_counts_and_looks_tokens_up_in_its_role() -> None:
    token = token_of(None, "ingest", kind="ingest")
    world = World()
    world.send(sends(1, 2, 3))
    with acting_as(COLLECTOR):
        intake = world.collector()
        assert sum(each.n_spans for each in [*world.take(intake), *world.take(intake)]) == 3
        Folder(now=world.clock).step()
        assert tokens.find(token, NOW) is not None
    assert rows("select count(*)::int from batch where folded") == [(1,)]


def test_s64_what_the_collector_made_the_worker_drops() -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table span_detail detach partition span_detail_all")
    with acting_as(COLLECTOR):
        make("span_detail", NOW)
    (leaf,) = rows("select leaf from raw_partition where table_name = 'span_detail'")[0]
    with acting_as(WEB):
        assert rows(f"select count(*)::int from {leaf}") == [(0,)]
    with acting_as(WORKER), connection.cursor() as cursor:
        assert close_full(NOW) == []
        retention.keep_within_budget(NOW)
        cursor.execute(f"alter table span_detail detach partition {leaf}")
        cursor.execute(f"drop table {leaf}")


def test_s64_what_the_worker_made_is_the_collectors_to_keep_in_order() -> None:
    with connection.cursor() as cursor:
        cursor.execute("alter table span detach partition span_all")
    with acting_as(WORKER):
        make("span", NOW)
    (leaf,) = rows("select leaf from raw_partition where table_name = 'span'")[0]
    assert rows("select pg_get_userbyid(relowner) from pg_class where relname = %s", leaf) == [(COLLECTOR,)]
    with acting_as(COLLECTOR), connection.cursor() as cursor:
        cursor.execute(f"analyze {leaf}")
        cursor.execute(f"alter table span detach partition {leaf}")


def test_s64_the_worker_makes_indexes_of_samples_anew_and_the_web_process_does_not() -> None:
    assert is_refused(WEB, "reindex index group_sample_at")
    with acting_as(WORKER), connection.cursor() as cursor:
        for index in sample_indexes.INDEXES:
            cursor.execute(f"reindex index {index}")


def test_s64_the_worker_does_all_its_rounds_in_its_role() -> None:
    with acting_as(WORKER):
        for work in (
            tasks.make_leaves, tasks.close_leaves, tasks.count_leaves, tasks.drop_old, tasks.keep_within_budget,
            tasks.pack_samples, tasks.learn_usual_hops, tasks.learn_usual_least, tasks.learn_service_facts,
            tasks.forget_drafts, tasks.settle_retries, tasks.settle_silent_retries, tasks.ring_letters,
            tasks.count_letter_keys, tasks.read_letters_again, tasks.answer_lookups, dashboard_tasks.keep_layout,
            dashboard_tasks.forget_sign_ins,
        ):  # fmt: skip
            work()


def test_s64_every_page_opens_and_a_retry_is_asked_for_and_sent_in_the_roles_of_web_and_worker() -> None:
    world = RetryWorld()
    (letter,) = world.letters.park(dead_record(1))
    ada = person("ada", "admin")
    with acting_as(WEB):
        client = signed_in(ada)
        for pattern, (who, _) in PAGES.items():
            if who != "-":
                assert client.get(address(pattern)).status_code < 500, pattern
        asked = click(letter)
        sample = client.post("/lookups/", {"cluster": "demo", "topic": "orders.created", "start": "newest"})
        assert sample.status_code == 302
    with acting_as(WORKER):
        world.send(asked.id)
        answering.run(lambda _: nullcontext(MemoryPeek(world.broker)), LookRules, now=clock.now)
    with acting_as(WEB):
        assert "How far each partition was read" in client.get(sample["Location"]).content.decode()
    assert is_refused(COLLECTOR, "select from lookup_match")
    assert len(world.sent()) == 1


def test_s64_people_sign_in_look_and_decide_in_the_role_of_the_web_process() -> None:
    LetterWorld().park(dead_record(1))
    olga = person("olga", "operator")
    with acting_as(WEB):
        client = signed_in(olga)
        for page in ("/", "/topics/", "/groups/", "/services/", "/dead-letters/", "/health/", "/audit/"):
            assert client.get(page).status_code == 200, page
        assert Client().post("/login/", {"name": "olga", "password": f"{PASSWORD}?"}).status_code != 302
    assert {action for (action,) in rows("select action from audit_entry")} == {"sign in"}
