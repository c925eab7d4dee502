"""People as an operator of the machine makes and changes them at the command line."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from dashboard.models import Person
from tests.integration.people import PASSWORD, audit_rows, bearer, person, signed_in, token_of

pytestmark = pytest.mark.django_db
NEW = "another phrase of words"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """NEW on standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NEW}\n"))


@pytest.mark.usefixtures("typed")
def test_a_person_who_is_made_may_sign_in() -> None:
    said = io.StringIO()
    call_command("create_person", "olga", "--role", "operator", "--password-stdin", stdout=said)
    assert said.getvalue() == "olga may sign in now (operator).\n"
    assert Person.objects.get(name="olga").check_password(NEW)
    assert audit_rows("action", "object", "person_name") == [("create person", "olga", "command line")]


def test_who_may_not_sign_in_any_more_is_out_at_once_with_every_session_and_token() -> None:
    olga = person("olga", "operator")
    browser, token = signed_in(olga), token_of(olga, "read")
    assert browser.get("/topics/").status_code == 200
    call_command("change_person", "olga", "--inactive", stdout=io.StringIO())
    assert browser.get("/topics/").status_code == 302
    assert browser.post("/login/", {"name": "olga", "password": PASSWORD}).status_code != 302
    assert browser.get("/api/v1/topics", headers=bearer(token)).status_code == 401
    call_command("change_person", "olga", "--active", stdout=io.StringIO())
    assert signed_in(olga).get("/topics/").status_code == 200
    assert [row for row in audit_rows("action", "facts::text") if row[0] == "change person"] == [
        ("change person", '{"is_active": false}'),
        ("change person", '{"is_active": true}'),
    ]


def test_another_role_counts_from_the_next_sign_in_and_no_session_keeps_the_old_one() -> None:
    olga = person("olga", "admin")
    browser = signed_in(olga)
    call_command("change_person", "olga", "--role", "viewer", stdout=io.StringIO())
    assert browser.get("/dead-letters/mappings/").status_code == 302
    assert signed_in(olga).get("/dead-letters/mappings/").status_code == 403


@pytest.mark.usefixtures("typed")
def test_a_new_password_takes_the_place_of_the_old_one_and_stands_in_no_log() -> None:
    olga = person("olga")
    browser = signed_in(olga)
    call_command("change_person", "olga", "--password-stdin", stdout=io.StringIO())
    assert browser.get("/topics/").status_code == 302
    assert browser.post("/login/", {"name": "olga", "password": PASSWORD}).status_code != 302
    assert browser.post("/login/", {"name": "olga", "password": NEW}).status_code == 302
    assert audit_rows("facts::text", actions={'{"password": "new"}'}) == [('{"password": "new"}',)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("olga",), "Say what changes"),
        (("nobody", "--inactive"), "nobody of this name"),
        (("olga", "--inactive", "--active"), "not allowed with"),
        (("olga", "--password-stdin"), "at least 12 characters"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    arguments: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    before = person("olga", "operator")
    with pytest.raises(CommandError, match=sentence):
        call_command("change_person", *arguments)
    after = Person.objects.get(name="olga")
    assert (after.role, after.epoch, after.is_active, after.password) == ("operator", 0, True, before.password)
    assert audit_rows("action") == []
