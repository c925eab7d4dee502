"""Tokens: shown once, found by id, compared as hashes, and never more than their owner."""

import re
import stat
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from collector.clock import now
from collector.config import tokens
from dashboard.models import Person
from dashboard.queries.health import health
from tests.integration.people import bearer, person, token_of

pytestmark = pytest.mark.django_db


def test_s23_a_token_has_its_form_and_only_its_hash_is_stored() -> None:
    text = token_of(person("ada"), "read")
    assert re.fullmatch(r"weir_api_[a-z2-7]{16}_[A-Za-z0-9_-]{43}", text)
    with connection.cursor() as cursor:
        cursor.execute("select token::text from token")
        assert text.split("_", 3)[3] not in str(cursor.fetchall())


def test_a_token_is_found_with_its_owner_and_scopes() -> None:
    ada = person("ada")
    found = tokens.find(token_of(ada, "read", "retry"), now())
    assert found is not None
    assert (found.person_id, found.scopes, found.kind) == (ada.pk, frozenset({"read", "retry"}), "api")


def test_s23_another_secret_kind_or_form_is_nobody() -> None:
    text = token_of(person("ada"), "read")
    other = token_of(None, "ingest", kind="ingest")
    start, _, secret = text.rpartition("_")
    wrong = [
        f"{start}_{'A' * 43}",
        f"{other.rpartition('_')[0]}_{secret}",
        text.replace("_api_", "_ingest_"),
        text[:-1],
        f"{text} ",
        f"{text}\n",
        "",
        "weir_api_",
        text.upper(),
    ]
    assert [tokens.find(each, now()) for each in wrong] == [None] * len(wrong)


def test_s25_a_token_ends() -> None:
    text = token_of(person("ada"), "read")
    assert tokens.find(text, now() + timedelta(days=89)) is not None
    assert tokens.find(text, now() + timedelta(days=91)) is None
    with connection.cursor() as cursor:
        cursor.execute("update token set revoked_at = now()")
    assert tokens.find(text, now() + timedelta(seconds=1)) is None


def test_s25_its_last_use_is_noted_once_a_minute() -> None:
    text, start = token_of(person("ada"), "read"), now()
    seen = []
    for seconds in (0, 30, 61):
        tokens.find(text, start + timedelta(seconds=seconds))
        with connection.cursor() as cursor:
            cursor.execute("select last_used_at from token")
            seen.append((cursor.fetchone()[0] - start).total_seconds())
    assert seen == pytest.approx([0, 0, 61])


@pytest.mark.parametrize(("scopes", "days"), [((), 90), (("ingest",), 90), (("read",), 0), (("read",), 367)])
def test_a_token_without_scope_of_its_kind_or_without_end_is_not_made(scopes: tuple[str, ...], days: int) -> None:
    with pytest.raises(tokens.NotAToken):
        tokens.mint("api", "x", person_id=None, scopes=scopes, now=now(), days=days)


def test_s24_a_senders_token_opens_no_api_and_a_cookie_does_neither() -> None:
    ada = person("ada", "admin")
    sender = token_of(ada, "ingest", kind="ingest")
    assert Client().get("/api/v1/health", headers=bearer(sender)).status_code == 401
    browser = Client()
    browser.force_login(ada)
    assert browser.get("/api/v1/health").status_code == 401
    assert browser.get("/api/v1/health", headers=bearer(token_of(ada, "read"))).status_code == 200


def test_s24_a_token_is_worth_what_its_owner_may_do_now() -> None:
    ada = person("ada", "operator")
    text = token_of(ada, "read")
    Person.objects.filter(pk=ada.pk).update(is_active=False)
    assert Client().get("/api/v1/health", headers=bearer(text)).status_code == 401


def test_the_command_makes_a_script_that_cannot_sign_in_and_keeps_a_file_that_works(tmp_path: Path) -> None:
    file = tmp_path / "token"
    call_command("create_token", "scripts", "--role", "operator", "--file", str(file))
    first = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = tokens.find(first, now())
    assert found is not None
    assert found.scopes == {"read", "payload", "retry"}
    assert not Person.objects.get(name="scripts").has_usable_password()
    call_command("create_token", "scripts", "--role", "operator", "--file", str(file), "--if-missing")
    assert file.read_text().strip() == first
    file.write_text("weir_api_something_else\n")
    call_command("create_token", "scripts", "--role", "operator", "--file", str(file), "--if-missing")
    assert tokens.find(file.read_text().strip(), now()) is not None


def test_a_senders_token_may_say_which_cluster_its_spans_are_of() -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into cluster (name) values ('west') returning id")
        west = cursor.fetchone()[0]
    out = StringIO()
    call_command("create_token", "shop", "--kind", "ingest", "--cluster", "west", stdout=out)
    found = tokens.find(out.getvalue().strip(), now())
    assert found is not None
    assert found.cluster_id == west
    with pytest.raises(CommandError, match="There is no cluster east"):
        call_command("create_token", "shop", "--kind", "ingest", "--cluster", "east")


def test_the_command_prints_the_token_once_and_refuses_another_role_under_the_same_name() -> None:
    out = StringIO()
    call_command("create_token", "scripts", "--role", "viewer", stdout=out)
    assert tokens.find(out.getvalue().strip(), now()) is not None
    with pytest.raises(CommandError, match="viewer"):
        call_command("create_token", "scripts", "--role", "admin")


def test_s25_a_rotated_token_and_the_new_one_are_both_valid_for_a_day() -> None:
    old = token_of(None, "ingest", kind="ingest")
    out = StringIO()
    call_command("rotate_token", old.split("_")[2], stdout=out)
    new = out.getvalue().strip()
    at = now()
    one, other = tokens.find(old, at), tokens.find(new, at)
    assert one
    assert other
    assert (one.kind, one.name, one.scopes) == (other.kind, other.name, other.scopes)
    assert tokens.find(old, at + timedelta(hours=23)) is not None
    assert tokens.find(old, at + timedelta(hours=25)) is None
    assert tokens.find(new, at + timedelta(hours=25)) is not None
    with pytest.raises(CommandError):
        call_command("rotate_token", "nobody")


def test_s25_a_revoked_token_ends_at_once() -> None:
    text = token_of(person("ada"), "read")
    call_command("revoke_token", text.split("_")[2])
    assert tokens.find(text, now()) is None
    assert Client().get("/api/v1/graph", headers=bearer(text)).status_code == 401
    with pytest.raises(CommandError):
        call_command("revoke_token", text.split("_")[2])
    with pytest.raises(CommandError):
        call_command("rotate_token", text.split("_")[2])


def test_s25_health_names_the_tokens_in_use_that_end_soon() -> None:
    used, unused, far = (token_of(None, "ingest", kind="ingest") for _ in range(3))
    at = now()
    for text in (used, far):
        assert tokens.find(text, at)
    with connection.cursor() as cursor:
        for text, days in ((used, 13), (unused, 13), (far, 15)):
            cursor.execute(
                "update token set expires_at = %s where public_id = %s", [at + timedelta(days=days), text.split("_")[2]]
            )
    assert [each.public_id for each in health(now=at).ending] == [used.split("_")[2]]
