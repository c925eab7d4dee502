"""The page of settings: what is set and from where; names for everybody, the rest for admins, secrets for nobody."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from collector.clock import now
from collector.config import declared, document
from dashboard.queries.settings import KINDS, people, standing, tokens
from tests.integration.people import person, signed_in, token_of

pytestmark = pytest.mark.usefixtures("clean_tables")

BODY = {
    "taps": {"topics": ["orders.*"], "keys": ["order-id"]},
    "mask": {"cards": {"topics": ["cards.*"], "paths": ["$.card.number"]}},
    "clusters": {"plant": {"bootstrap": "kafka:9092", "password": "env:WEIR_SECRET_PLANT"}},
    "permissions": {"export": True},
}


@pytest.fixture
def declaration() -> None:
    with transaction.atomic():
        declared.replace(BODY, by="file, by root", now=now())


def test_an_admin_sees_what_is_declared_by_whom_and_what_the_environment_says(declaration: None) -> None:
    page = signed_in(person("ada", "admin")).get("/settings/").content.decode()
    for said in (
        "by <bdi>file, by root</bdi>",
        "$.card.number",
        "orders.*",
        "env:WEIR_SECRET_PLANT",
        "WEIR_TAP_PAYLOADS",
        "WEIR_KEEP_RAW",
        "<bdi>true</bdi>",
    ):
        assert said in page, said


def test_no_kind_of_declaration_is_left_out() -> None:
    assert {key for key, _, _ in KINDS} == {*document.KINDS, "taps", "permissions"}


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_others_see_names_and_who_changes_them(declaration: None, role: str) -> None:
    token_of(person("ada", "admin"), "read")
    page = signed_in(person("vera", role)).get("/settings/").content.decode()
    assert "Settings are changed by admins." in page
    assert ">cards<" in page
    for hidden in ("$.card.number", "WEIR_SECRET_PLANT", "kafka:9092", 'id="tokens"', 'id="people"', "WEIR_TAP"):
        assert hidden not in page, hidden


def test_tokens_and_people_are_listed_without_what_opens_something(
    declaration: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ada = person("ada", "admin")
    gone = person("otto", "operator", is_active=False)
    call_command("create_token", "script", stdout=StringIO())
    secret = token_of(ada, "read", "retry")
    token_of(gone, "read")
    with connection.cursor() as cursor:
        cursor.execute("update token set revoked_at = %s where person_id = %s", [now() - timedelta(hours=1), gone.pk])
    with django_assert_num_queries(1):
        found = tokens(now=now())
    assert [(each.owner, each.state, set(each.scopes)) for each in found] == [
        ("ada", "valid", {"read", "retry"}),
        ("script", "valid", {"read"}),
        ("otto", "revoked", {"read"}),
    ]
    with django_assert_num_queries(1):
        assert [(each.name, each.role, each.is_active, each.has_password) for each in people()] == [
            ("ada", "admin", True, True),
            ("script", "viewer", True, False),
            ("otto", "operator", False, True),
        ]
    page = signed_in(ada).get("/settings/").content.decode()
    assert found[0].public_id in page
    assert secret.rpartition("_")[2] not in page
    assert "may not sign in" in page
    assert page.count("by tokens only") == 1


def test_before_the_first_file_the_environment_alone_counts(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with transaction.atomic():
        declared.replace({}, by="a test", now=now())
    with django_assert_num_queries(2):
        assert all(kind.tables == () for kind in standing().kinds)
    assert "Nothing is declared." in signed_in(person("ada", "admin")).get("/settings/").content.decode()
