"""Dead letters that no dialect reads, described by an admin: tried, saved, read again; by page and by file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector import wiring
from collector.clock import now
from collector.config import declared
from collector.domain.records import Record
from collector.intake import fetching, rereading
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_lookup import MemoryLookup
from collector.ports import Lookup
from dashboard.queries.letter_mappings import samples, unexplained
from tests.integration.letter_world import AT, LetterWorld, one, rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of

pytestmark = pytest.mark.usefixtures("clean_tables")

TYPED = {
    "origin_topic": "header:src",
    "origin_partition": "$.at.partition",
    "origin_offset": "$.at.offset",
    "group": "=billing",
    "exception": "$.error.type",
    "message": "$.error.text",
}
ADDRESS = "/dead-letters/mappings/demo/orders.created.dlq/"


def own_dialect(n: int) -> Record:
    """A record as a home-made consumer parks it."""
    value = {
        "at": {"partition": 0, "offset": 100 + n},
        "error": {"type": "shop.Declined", "text": f"card {n} declined"},
    }
    headers = (("src", b"orders.created"), ("n", str(n).encode()))
    return Record("orders.created.dlq", 0, n, AT, 1, f"order-{n}".encode(), json.dumps(value).encode(), headers)


@pytest.fixture
def world() -> LetterWorld:
    found = LetterWorld()
    found.park(*[own_dialect(n) for n in range(3)])
    return found


@pytest.fixture
def ada() -> Client:
    return signed_in(person("ada", "admin"))


def work() -> None:
    while rereading.step(wiring.tap_rules(declared.document()), now=now() + rereading.SETTLE, limit=2):
        pass


def read() -> list[tuple[object, ...]]:
    return rows(
        "select d.dialect, o.name, d.origin_offset, g.name, d.exception_class, d.message from dead_letter d"
        " left join topic o on o.id = d.origin_topic_id left join consumer_group g on g.id = d.group_id order by d.id"
    )


EXPECTED = [("mapping", "orders.created", 100 + n, "billing", "shop.Declined", f"card {n} declined") for n in range(3)]


def test_the_page_of_dead_letters_leads_admins_there(world: LetterWorld, ada: Client) -> None:
    page = ada.get("/dead-letters/").content.decode()
    assert "carry no origin" in page
    assert f'href="{ADDRESS}"' in page
    assert [(each.topic, each.n) for each in unexplained()] == [("orders.created.dlq", 3)]
    viewer = signed_in(person("vera", "viewer")).get("/dead-letters/").content.decode()
    assert "An admin can say where they came from." in viewer
    assert ADDRESS not in viewer


def test_a_mapping_is_tried_on_real_records_and_nothing_is_changed(world: LetterWorld, ada: Client) -> None:
    page = ada.post(ADDRESS, {"do": "try", **TYPED}).content.decode()
    for said in ("orders.created/0/102", "shop.Declined", "card 2 declined", "header:src", "$.error.type"):
        assert said in page
    assert (declared.body(), {row[0] for row in read()}) == ({}, {"unknown"})
    wrong = ada.post(ADDRESS, {"do": "save", **TYPED, "group": "billing"})
    assert wrong.status_code == 400
    assert "is not understood" in wrong.content.decode()
    assert declared.body() == {}


def test_saved_it_is_audited_and_stored_letters_are_read_again(world: LetterWorld, ada: Client) -> None:
    before = one("select id from failure_group")
    assert ada.post(ADDRESS, {"do": "save", **TYPED})["Location"] == "/dead-letters/"
    assert "Reading the letters of orders.created.dlq again" in ada.get("/dead-letters/").content.decode()
    work()
    assert read() == EXPECTED
    assert unexplained() == ()
    assert rows(
        "select title, n from failure_group g join failure_count c on c.failure_group_id = g.id where n > 0"
    ) == [("Declined: card <n> declined", 3)]
    assert ada.get(f"/dead-letters/groups/{before}/").status_code == 302
    deeds = audit_rows("action", "object", "person_name", "reason", actions=["describe dead letters"])
    assert [deed[:3] for deed in deeds] == [("describe dead letters", "topic orders.created.dlq", "ada")]
    assert "group = =billing" in str(deeds[0][3])
    ada.post(ADDRESS, {"do": "remove"})
    work()
    assert {row[0] for row in read()} == {"unknown"}
    assert ada.get(f"/dead-letters/groups/{before}/").status_code == 200, "its letters are back"


def test_a_file_describes_topics_by_pattern_and_the_page_says_so(
    world: LetterWorld, ada: Client, tmp_path: Path
) -> None:
    file = tmp_path / "weir.toml"
    lines = [f'{name} = "{text}"' for name, text in TYPED.items()]
    file.write_text("\n".join(["[dead_letters.home-made]", 'topics = ["orders.*"]', *lines]))
    call_command("apply", str(file))
    work()
    assert read() == EXPECTED
    assert "[dead_letters.<bdi>home-made</bdi>]" in ada.get(ADDRESS).content.decode()
    ada.post(ADDRESS, {"do": "save", **TYPED, "group": "=shipping"})
    work()
    assert {row[3] for row in read()} == {"shipping"}, "what names the topic counts more than a pattern"
    page = ada.get(ADDRESS).content.decode()
    assert "[dead_letters.&quot;orders.created.dlq&quot;]" in page


def test_what_a_rule_masks_is_masked_in_the_preview(world: LetterWorld, ada: Client, tmp_path: Path) -> None:
    from collector.config.rules import masks, standing

    file = tmp_path / "weir.toml"
    file.write_text('[mask.errors]\ntopics = ["*"]\npaths = ["$.error.text"]\n')
    call_command("apply", str(file))
    standing.pin(masks(declared.document()), seconds=60)
    page = ada.post(ADDRESS, {"do": "try", **TYPED}).content.decode()
    assert "card 2 declined" not in page
    assert "shop.Declined" in page


def test_the_questions_take_one_statement_each(
    world: LetterWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert len(samples("demo", "orders.created.dlq")) == 3
    with django_assert_num_queries(1):
        unexplained()


def test_what_lay_on_a_topic_before_it_was_named_is_fetched_as_dead_letters(
    world: LetterWorld, ada: Client, tmp_path: Path
) -> None:
    failed, broker = world.topic("orders.failed"), MemoryBroker()
    broker.create("orders.failed", n_partitions=2)
    for n in range(5):
        broker.append(replace(own_dialect(n), topic="orders.failed", partition=n % 2))
    taken = one("insert into input (kind, cluster_id, topic_name) values (3, %s, '*') returning id", world.cluster)
    rows(
        "insert into intake_position (input_id, topic_uuid, partition, next_offset, stored_at)"
        " select %s, kafka_id, p, 2, %s from topic, (values (0), (1)) p(p) where id = %s returning 1",
        taken, AT, failed,
    )  # fmt: skip
    file = tmp_path / "weir.toml"
    lines = [f'{name} = "{text}"' for name, text in TYPED.items()]
    file.write_text("\n".join(["[dead_letters.failed]", 'topics = ["orders.failed"]', *lines]))
    call_command("apply", str(file))
    assert one("select role from topic where id = %s", failed) == 1
    assert "Reading orders.failed from its first record as dead letters" in ada.get("/dead-letters/").content.decode()

    @contextmanager
    def memory(cluster: str) -> Iterator[Lookup]:
        assert cluster == "demo"
        yield MemoryLookup(broker)

    def fetch() -> None:
        while fetching.step(wiring.tap_rules(declared.document()), memory, now=now() + rereading.SETTLE, limit=1):
            pass

    broker.up = False
    fetch()
    assert rows("select trouble <> '', ended_at from letter_fetch") == [(True, None)]
    broker.up = True
    fetch()
    found = rows(
        "select kafka_partition, kafka_offset, dialect from dead_letter where topic_id = %s order by 1, 2", failed
    )
    assert found == [(0, 0, "mapping"), (0, 1, "mapping"), (1, 0, "mapping"), (1, 1, "mapping")], "what the intake read"
    assert one("select n_done from letter_fetch where ended_at is not null") == 4
    fetch()
    assert len(rows("select id from dead_letter where topic_id = %s", failed)) == 4


def test_an_admin_names_a_topic_and_sees_which_are_described(world: LetterWorld, ada: Client, tmp_path: Path) -> None:
    page = ada.get("/dead-letters/mappings/").content.decode()
    assert '<option value="demo/orders.created">' in page
    assert ada.get("/dead-letters/mappings/?topic=demo/orders.created.dlq")["Location"] == ADDRESS
    wrong = ada.get("/dead-letters/mappings/?topic=demo/nowhere").content.decode()
    assert "There is no such topic." in wrong
    ada.post(ADDRESS, {"do": "save", **TYPED})
    assert "origin_topic, origin_partition" in ada.get("/dead-letters/mappings/").content.decode()


def test_the_same_by_the_api_with_a_token_of_an_admin(world: LetterWorld) -> None:
    headers = bearer(token_of(person("ada", "admin"), "admin"))
    address = "/api/v1/dead-letter-mappings/demo/orders.created.dlq"

    def ask(method: str, path: str = address, body: object = None) -> tuple[int, dict[str, Any]]:
        answer = Client().generic(method, path, json.dumps(body), "application/json", headers=headers)
        return answer.status_code, answer.json()

    status, now_stands = ask("GET")
    assert (status, now_stands["sources"], now_stands["settings"]) == (200, {}, "")
    assert {"header:src", "$.at.partition"} <= set(now_stands["places"])
    status, tried = ask("POST", f"{address}/preview", TYPED)
    assert status == 200
    assert tried["previews"][0]["exception"] == "shop.Declined"
    assert ask("GET")[1]["sources"] == {}
    status, problem = ask("PUT", body={**TYPED, "group": "nowhere"})
    assert status == 422
    assert "group" in problem["detail"]
    assert ask("PUT", body={})[0] == 422
    status, saved = ask("PUT", body=TYPED)
    assert (status, saved["sources"]) == (200, TYPED)
    assert "[dead_letters." in saved["settings"]
    work()
    assert read() == EXPECTED
    assert ask("GET")[1]["previews"] == tried["previews"]
    assert ask("DELETE")[0] == 200
    work()
    assert {row[0] for row in read()} == {"unknown"}
    assert ask("GET", address.replace("orders", "nothing"))[0] == 404
    done = audit_rows("action", "person_name", "result", actions=("describe dead letters",))
    assert done == [("describe dead letters", "ada", "done")] * 2
