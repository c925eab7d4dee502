"""Signing in and out: one message, one cost, delays that hit only the guesser, sessions that end."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import hashers
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from collector import clock
from dashboard.models import Person, SignInTries
from dashboard.passwords import Argon2id
from tests.integration.people import PASSWORD, audit_rows, person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts Argon2 computations, real as they are."""
    counted: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(Argon2id, name)

        def counting(self: Argon2id, *args: str, real: object = real, name: str = name) -> object:
            counted.append(name)
            return real(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(Argon2id, name, counting)
    return counted


def test_the_right_password_leads_back_to_the_full_address() -> None:
    person("ada")
    response = Client().post("/login/", {"name": "ada", "password": PASSWORD, "next": "/topics/?from=now-1h"})
    assert (response.status_code, response["Location"]) == (302, "/topics/?from=now-1h")
    assert audit_rows("action", "person_name", "result", "address") == [("sign in", "ada", "done", "127.0.0.1")]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\t//evil.example",
        "evil",
        "///x",
    ],
)
def test_s4_it_never_leads_away(target: str) -> None:
    person("ada")
    assert Client().post("/login/", {"name": "ada", "password": PASSWORD, "next": target})["Location"] == "/"


def test_s17_wrong_unknown_and_inactive_look_the_same_and_cost_one_hash_each(hashes: list[str]) -> None:
    person("ada")
    person("bob", is_active=False)
    answers = []
    for name, password in (("ada", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD)):
        hashes.clear()
        response = Client().post("/login/", {"name": name, "password": password})
        assert len(hashes) == 1, name
        text = response.content.decode().replace(f'value="{name}"', 'value="…"')
        answers.append((response.status_code, "Wrong name or password." in text, len(response.cookies)))
    assert answers[0][:2] == (403, True)
    assert answers[0] == answers[1] == answers[2]


def test_s17_guessing_is_slowed_before_any_hash_and_names_are_not_kept(hashes: list[str]) -> None:
    person("ada")
    hashes.clear()
    client = Client()
    statuses = [client.post("/login/", {"name": "ada", "password": f"guess {n}"}).status_code for n in range(7)]
    assert statuses == [403, 403, 403, 403, 403, 429, 429]
    assert len(hashes) == 5
    assert client.post("/login/", {"name": "ada", "password": PASSWORD}).status_code == 429
    assert not SignInTries.objects.filter(key__contains="ada").exists()


def test_s17_an_attacker_who_exhausts_a_name_does_not_delay_the_browser_that_knows_it() -> None:
    ada = person("ada")
    known = signed_in(ada)
    for n in range(60):
        Client(REMOTE_ADDR=f"203.0.{n}.7").post("/login/", {"name": "ada", "password": "guess"})
    stranger = Client(REMOTE_ADDR="198.51.100.1").post("/login/", {"name": "ada", "password": PASSWORD})
    assert stranger.status_code == 429
    known.post("/logout/")
    assert known.post("/login/", {"name": "ada", "password": PASSWORD}).status_code == 302


def test_a_delay_ends() -> None:
    person("ada")
    client = Client()
    for n in range(6):
        client.post("/login/", {"name": "ada", "password": f"guess {n}"})
    SignInTries.objects.update(last_at=clock.now() - timedelta(seconds=3))
    assert client.post("/login/", {"name": "ada", "password": PASSWORD}).status_code == 302


def test_s19_the_session_key_is_new_after_signing_in_and_the_old_one_is_nobody() -> None:
    ada = person("ada")
    client = Client()
    client.get("/login/")
    client.cookies[django_settings.SESSION_COOKIE_NAME] = "x" * 32
    client.post("/login/", {"name": "ada", "password": PASSWORD})
    first = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    assert first != "x" * 32
    client.post("/logout/")
    client.cookies[django_settings.SESSION_COOKIE_NAME] = first
    assert client.get("/audit/").status_code == 302
    assert ada.is_active


def test_s19_the_cookies_are_httponly_lax_and_named_by_port() -> None:
    client = signed_in(person("ada"))
    for name in (django_settings.SESSION_COOKIE_NAME, django_settings.CSRF_COOKIE_NAME, "weir_device_8000"):
        if name in client.cookies:
            morsel = client.cookies[name]
            assert (morsel["httponly"], morsel["samesite"]) == (True, "Lax"), name
    assert client.cookies[django_settings.SESSION_COOKIE_NAME]["path"] == "/"


@pytest.mark.parametrize(
    "change",
    [{"epoch": 1}, {"is_active": False}, {"password": hashers.make_password(None)}],
    ids=["epoch", "inactive", "password"],
)
def test_s20_a_session_ends_with_its_persons_rights(change: dict[str, object]) -> None:
    ada = person("ada", "admin")
    client = signed_in(ada)
    assert client.get("/login/").status_code == 302, "signed in"
    Person.objects.filter(pk=ada.pk).update(**change)
    assert client.get("/login/").status_code == 200


def test_s20_a_new_role_counts_at_once() -> None:
    ada = person("ada", "admin")
    client = signed_in(ada)
    Person.objects.filter(pk=ada.pk).update(role="viewer")
    assert client.get("/login/").status_code == 302


@pytest.mark.parametrize(("hours", "status"), [(11.9, 302), (12.1, 200)])
def test_s19_an_idle_session_ends(hours: float, status: int) -> None:
    client = signed_in(person("ada"))
    session = SessionStore(client.cookies[django_settings.SESSION_COOKIE_NAME].value)
    session["seen_at"] -= int(hours * 3600)
    session.save()
    assert client.get("/login/").status_code == status


def test_s10_a_form_without_its_token_or_from_another_port_is_refused() -> None:
    person("ada")
    client = Client(enforce_csrf_checks=True)
    form = {"name": "ada", "password": PASSWORD}
    assert client.post("/login/", form).status_code == 403
    client.get("/login/")
    form["csrfmiddlewaretoken"] = client.cookies[django_settings.CSRF_COOKIE_NAME].value
    assert client.post("/login/", form, headers={"origin": "http://testserver:3000"}).status_code == 403
    assert client.post("/login/", form, headers={"origin": "http://testserver"}).status_code == 302


def test_s9_text_that_cannot_be_stored_is_refused() -> None:
    client = Client()
    assert client.post("/login/", {"name": "a\x00b", "password": PASSWORD}).status_code == 400
    body = '{"dead_letters": ["\\ud800"]}'
    assert client.post("/api/v1/retries", body, content_type="application/json").status_code == 400
