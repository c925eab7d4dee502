"""The sign-in link: once, ten minutes, this machine, while there is no admin."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from collector import clock
from dashboard import first_admin
from dashboard.models import Person, SignInLink
from tests.integration.people import PASSWORD, audit_rows, person

FORM = {"name": "ada", "password": PASSWORD}
HERE: dict[str, Any] = {"HTTP_HOST": "127.0.0.1:8000"}


def link() -> str:
    """The path of a new link, as the command prints it."""
    out = StringIO()
    call_command("sign_in_link", stdout=out)
    return urlsplit(out.getvalue().strip()).path


@pytest.mark.django_db
def test_looking_does_not_use_it_up_and_posting_does() -> None:
    path, client = link(), Client(**HERE)
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]
    response = client.post(path, FORM)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/login/").status_code == 302, "signed in"
    assert Person.objects.get().role == "admin"
    assert Client(**HERE).post(path, {**FORM, "name": "eve"}).status_code == 410
    assert [row[:2] for row in audit_rows("action", "person_name")] == [
        ("create the first admin", "ada"),
        ("sign in", "ada"),
    ]


@pytest.mark.django_db
def test_a_bad_password_keeps_the_link() -> None:
    path, client = link(), Client(**HERE)
    assert client.post(path, {"name": "ada", "password": "short"}).status_code == 400
    assert client.post(path, FORM).status_code == 302


@pytest.mark.django_db
def test_it_ends_after_ten_minutes_and_with_the_next_one() -> None:
    path, client = link(), Client(**HERE)
    SignInLink.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert client.post(path, FORM).status_code == 410
    path, newer = link(), link()
    assert client.post(path, FORM).status_code == 410
    assert client.post(newer, FORM).status_code == 302


@pytest.mark.django_db
def test_it_is_made_and_works_only_while_there_is_no_admin() -> None:
    path = link()
    person("boss", "admin")
    assert link() == ""
    assert Client(**HERE).post(path, FORM).status_code == 410


@pytest.mark.django_db
@pytest.mark.parametrize(
    "request_facts",
    [{"REMOTE_ADDR": "203.0.113.7"}, {"HTTP_HOST": "weir.example"}],
    ids=["from elsewhere", "under another name"],
)
def test_s18_from_elsewhere_there_is_no_such_page(request_facts: dict[str, Any], settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    path, client = link(), Client(**{**HERE, **request_facts})
    assert client.get(path).status_code == 404
    assert client.post(path, FORM).status_code == 404
    assert not Person.objects.exists()


@pytest.mark.django_db
def test_a_name_that_somebody_has_is_refused_and_the_link_stays_open() -> None:
    path, client = link(), Client(**HERE)
    Person.objects.create(name=FORM["name"], role="viewer", created_at=clock.now())
    refused = client.post(path, FORM)
    assert refused.status_code == 400
    assert "Somebody has this name already." in refused.content.decode()
    assert client.post(path, {**FORM, "name": "another"}).status_code == 302


@pytest.mark.django_db
def test_its_secret_is_stored_as_a_hash() -> None:
    secret = link().split("/")[2]
    assert len(secret) >= 43
    assert secret not in str(list(SignInLink.objects.values()))


@pytest.mark.usefixtures("clean_tables")
def test_of_twenty_at_once_one_gets_through() -> None:
    secret = first_admin.new_link(now=clock.now())
    assert secret

    def post(number: int) -> int:
        try:
            return Client(**HERE).post(f"/sign-in/{secret}/", {**FORM, "name": f"ada{number}"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(post, range(20)))
    assert statuses == [302, *[410] * 19]
    assert Person.objects.count() == 1
