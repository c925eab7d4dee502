"""Dead letters that no dialect reads, described by an admin: tried, saved, read again; by page and by file."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector import wiring
from collector.config import declared
from collector.domain.records import Record
from collector.intake import rereading
from dashboard.queries.letter_mappings import samples, unexplained
from tests.integration.letter_world import AT, LetterWorld, one, rows
from tests.integration.people import audit_rows, person, signed_in

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
    while rereading.step(wiring.tap_rules(declared.document()), now=AT, limit=2):
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
