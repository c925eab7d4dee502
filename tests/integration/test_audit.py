"""The audit log as people read it: filtered, followed to what was done, and as a file."""

import csv
import io

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from dashboard.queries import audit
from dashboard.queries.audit import BadFilter, audit_log, wanted
from tests.integration.people import audit_rows, person, signed_in

pytestmark = pytest.mark.usefixtures("clean_tables")

ENTRIES = (
    (1, "olga", "retry", "retry 118", "done", "after fix 2.8.1", "10.0.0.7"),
    (2, "vera", "retry", "/retries/", "refused", "POST refused", "10.0.0.8"),
    (1, "olga", "see payload", "dead letter 12", "done", "", "10.0.0.7"),
    (1, "olga", "archive", "3 dead letters", "done", "50%_known", "10.0.0.7"),
    (1, "olga", "note", "failure group 4", "done", "=cmd()", "10.0.0.7"),
)


@pytest.fixture
def entries() -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into audit_entry (at, person_id, person_name, action, object, result, reason, address)"
            " values (now(), %s, %s, %s, %s, %s, %s, %s)",
            ENTRIES,
        )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("result:refused", [1]),
        ("who:olga action:retry", [0]),
        ("retry -who:vera", [0]),
        ('"dead letter 12"', [2]),
        ("50%_KNOWN", [3]),
        ("50%x", []),
        ("address:10.0.0.8", [1]),
        ("-result:done", [1]),
    ],
)
def test_the_log_is_filtered(entries: None, text: str, found: list[int]) -> None:
    rows = audit_log(of_person=None, filtered=wanted(text)).items
    assert [row.object for row in reversed(rows)] == [ENTRIES[at][3] for at in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [("result:fine", "done, refused, failed"), ("colour:red", "no field"), (" ".join("x" * 11), "At most 10")],
)
def test_a_wrong_term_is_named(text: str, said: str) -> None:
    with pytest.raises(BadFilter, match=said):
        wanted(text)


def test_entries_lead_to_what_was_done(entries: None) -> None:
    urls = {row.object: row.url for row in audit_log(of_person=None).items}
    assert urls == {
        "retry 118": "/retries/118/",
        "/retries/": "",
        "dead letter 12": "/dead-letters/12/",
        "3 dead letters": "",
        "failure group 4": "/dead-letters/groups/4/",
    }


def test_a_filter_looks_through_so_many_entries_and_then_further_back(
    entries: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(audit, "MOST_READ", 2)
    with django_assert_num_queries(1):
        newest = audit_log(of_person=None, filtered=wanted("retry"))
    assert (newest.items, newest.is_bounded) == ((), True)
    further = audit_log(of_person=None, before=newest.before, filtered=wanted("retry"))
    assert [row.person_name for row in further.items] == ["vera"]
    last = audit_log(of_person=None, before=further.before, filtered=wanted("retry"))
    assert ([row.object for row in last.items], last.before, last.is_bounded) == (["retry 118"], None, False)
    lines = list(audit.exported(of_person=None, filtered=wanted("retry")))
    assert "may be more" in lines[-1]


def test_a_wrong_filter_leaves_the_page_whole_and_gives_no_file(entries: None) -> None:
    ada = signed_in(person("ada", "admin"))
    page = ada.get("/audit/", {"q": "result:fine"}).content.decode()
    assert "Nothing is left out." in page
    assert "retry 118" in page
    assert ada.get("/audit/list.csv", {"q": "result:fine"}).status_code == 400
    assert "Nothing in the log fits" in ada.get("/audit/", {"q": "nowhere"}).content.decode()


def test_the_file_holds_what_the_page_shows_no_formula_and_is_noted(entries: None) -> None:
    answer = signed_in(person("ada", "admin")).get("/audit/list.csv", {"q": "who:olga"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["object"] for row in rows] == ["failure group 4", "3 dead letters", "dead letter 12", "retry 118"]
    assert rows[0]["reason"] == "'=cmd()"
    assert audit_rows("action", "object", "result")[-1] == ("export audit log", "who:olga", "done")


def test_a_file_is_cut_where_it_says_so(entries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_EXPORTED", 2)
    lines = list(audit.exported(of_person=None, filtered=audit.EVERYTHING))
    assert len(lines) == 1 + 2 + 1
    assert "Cut after 2 entries" in lines[-1]


def test_others_see_and_export_their_own_rows_alone(entries: None) -> None:
    vera = person("vera")
    client = signed_in(vera)
    for address in ("/audit/", "/audit/list.csv", "/audit/?q=retry"):
        assert "retry 118" not in client.get(address).content.decode()
