"""Every address × every kind of caller against one hand-written table (docs/security.md S28).

A new address fails here until somebody says who may use it.
"""

import re
from collections.abc import Iterable

import pytest
from django.test import Client
from django.urls import get_resolver

from dashboard import checks
from dashboard.models import Person
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of

PAGES = {
    # address: (who may GET, who may POST); "nobody" may be anybody, "-" is not offered
    "": ("viewer", "-"),
    "topics/": ("viewer", "-"),
    "topics/list.csv": ("viewer", "-"),
    "topics/<segment:cluster>/<rest:name>/": ("viewer", "-"),
    "topics/<segment:cluster>/<rest:name>/partitions.csv": ("viewer", "-"),
    "groups/": ("viewer", "-"),
    "groups/list.csv": ("viewer", "-"),
    "groups/<segment:cluster>/<rest:name>/": ("viewer", "-"),
    "services/": ("viewer", "-"),
    "services/list.csv": ("viewer", "-"),
    "services/<rest:name>/": ("viewer", "-"),
    "events/": ("viewer", "-"),
    "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/": ("viewer", "-"),
    "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/keep/": ("-", "operator"),
    "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/otlp.json": ("operator", "-"),
    "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/payload": ("operator", "-"),
    "events/limits/": ("-", "operator"),
    "events/unmask/<segment:topic>/": ("admin", "admin"),
    "lookups/": ("operator", "operator"),
    "lookups/<int:number>/": ("operator", "-"),
    "events/traces/<str:trace_id>/": ("viewer", "-"),
    "events/span/<str:trace_id>/<str:span_id>/": ("viewer", "-"),
    "search": ("viewer", "-"),
    "dead-letters/": ("viewer", "operator"),
    "dead-letters/groups/<int:number>/": ("viewer", "operator"),
    "dead-letters/export.<str:form>": ("-", "-"),  # off until a settings file allows it: test_letter_export
    "dead-letters/groups/<int:number>/parts/": ("operator", "operator"),
    "dead-letters/mappings/": ("admin", "-"),
    "dead-letters/mappings/<segment:cluster>/<segment:topic>/": ("admin", "admin"),
    "dead-letters/<int:number>/": ("viewer", "operator"),
    "dead-letters/<int:number>/edit/": ("operator", "operator"),
    "dead-letters/<int:number>/retry/": ("operator", "operator"),
    "retries/": ("viewer", "operator"),
    "retries/<int:number>/": ("viewer", "operator"),
    "retries/<int:number>/plan/": ("operator", "operator"),
    "retries/<int:number>/approval/": ("operator", "operator"),
    "audit/": ("viewer", "-"),
    "audit/list.csv": ("viewer", "-"),
    "settings/": ("viewer", "-"),
    "health/": ("viewer", "-"),
    "preferences/": ("-", "viewer"),
    "replay/frames/": ("viewer", "-"),
    "layout/": ("-", "operator"),
    "layout/pins/": ("-", "operator"),
    "health/live": ("nobody", "-"),
    "health/ready": ("nobody", "-"),
    "metrics": ("nobody", "-"),
    "login/": ("nobody", "nobody"),
    "logout/": ("-", "nobody"),
    "sign-in/<str:secret>/": ("nobody", "nobody"),
}
OPERATIONS = {
    # operation: the scope it needs
    "GET api/v1/graph": "read",
    "GET api/v1/graph/frames": "read",
    "GET api/v1/graph/comparison": "read",
    "GET api/v1/graph/timeline": "read",
    "GET api/v1/topics": "read",
    "GET api/v1/topics/<segment:cluster>/<segment:topic>": "read",
    "GET api/v1/topics/<segment:cluster>/<segment:topic>/series": "read",
    "GET api/v1/groups": "read",
    "GET api/v1/groups/<segment:cluster>/<rest:group>": "read",
    "GET api/v1/services": "read",
    "GET api/v1/services/<rest:service>": "read",
    "GET api/v1/events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>": "read",
    "GET api/v1/traces/<trace_id>": "read",
    "GET api/v1/health": "read",
    "GET api/v1/dead-letters": "read",
    "GET api/v1/dead-letter-mappings/<segment:cluster>/<segment:topic>": "admin",
    "PUT api/v1/dead-letter-mappings/<segment:cluster>/<segment:topic>": "admin",
    "DELETE api/v1/dead-letter-mappings/<segment:cluster>/<segment:topic>": "admin",
    "POST api/v1/dead-letter-mappings/<segment:cluster>/<segment:topic>/preview": "admin",
    "POST api/v1/topics/<segment:cluster>/<segment:topic>/lookups": "payload",
    "GET api/v1/lookups/<int:number>": "payload",
    "POST api/v1/retries": "retry",
    "GET api/v1/retries/<int:number>": "read",
    "POST api/v1/retries/<int:number>/<deed>": "retry",
}
RANKS = {"nobody": 0, "viewer": 1, "operator": 2, "admin": 3}
OWNER_OF_SCOPE = {"read": "viewer", "payload": "operator", "retry": "operator", "admin": "admin"}
SAMPLES = {
    "cluster": "local", "name": "orders.created", "topic": "orders.created", "group": "billing", "partition": "0",
    "offset": "7", "trace_id": "0af7651916cd43dd8448eb211c80319c", "secret": "x" * 43, "number": "1",
    "span_id": "b7ad6b7169203331", "form": "csv", "deed": "pause", "service": "billing-svc",
}  # fmt: skip

pytestmark = pytest.mark.django_db


def served() -> list[str]:
    """Every address and operation, as the code has them."""
    return [where for where, _ in checks.views(get_resolver().url_patterns)]


def address(pattern: str) -> str:
    """A concrete address for a pattern."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: SAMPLES[found[1]], pattern)


@pytest.fixture
def people() -> dict[str, Person]:
    """One of each kind."""
    found = {role: person(role, role) for role in ("viewer", "operator", "admin")}
    return {**found, "inactive": person("inactive", "admin", is_active=False)}


def test_the_table_names_every_address_and_no_other() -> None:
    assert sorted(set(served())) == sorted([*PAGES, *OPERATIONS])  # ninja has an entry for each name of an address


def browsers(people: dict[str, Person]) -> Iterable[tuple[str, Client]]:
    """Who looks with a browser, and how much they may do."""
    yield "nobody", Client()
    ended = Client()
    ended.force_login(people["inactive"], backend="dashboard.signin.Passwords")
    yield "nobody", ended
    for role in ("viewer", "operator", "admin"):
        yield role, signed_in(people[role])


def test_s28_pages(people: dict[str, Person]) -> None:
    wrong = []
    for role, client in browsers(people):
        for pattern, needed in PAGES.items():
            if pattern == "logout/":
                continue  # it would end the session of the next row; test_sign_in has it
            for method, least in zip(("GET", "POST"), needed, strict=True):
                response = client.generic(method, address(pattern))
                expected = outcome(role, least)
                found = kind_of(response.status_code, response.get("Location", ""))
                if found not in expected:
                    wrong.append((role, method, pattern, response.status_code, expected))
    assert wrong == []


def outcome(role: str, least: str) -> set[str]:
    """What may come of it."""
    if least == "-":  # a page that only shows may show itself to a POST, too: it changes nothing
        return {"shown", "no such method", "to the login", "refused"}
    if RANKS[role] >= RANKS[least]:
        return {"shown"}
    return {"to the login"} if role == "nobody" else {"refused"}


def kind_of(status: int, location: str) -> str:
    """The kind of answer; anything unforeseen is its own kind."""
    if status in {301, 302} and location.startswith("/login/"):
        return "to the login"
    kinds = {
        200: "shown",
        302: "shown",
        400: "shown",
        404: "shown",
        409: "shown",
        410: "shown",
        403: "refused",
        405: "no such method",
    }
    return kinds.get(status, str(status))


def test_s28_operations(people: dict[str, Person]) -> None:
    wrong: list[object] = []
    for where, needed in OPERATIONS.items():
        method, path = where.split()
        for scopes, role in (
            (("read",), "viewer"),
            (("payload",), "admin"),
            (("retry",), "admin"),
            (("export",), "admin"),
            (("admin",), "admin"),
            (("read", "payload", "retry"), "operator"),
            (("read", "payload", "retry"), "viewer"),
            (("read", "payload", "export", "retry", "admin"), "admin"),
        ):
            may = needed in scopes and RANKS[role] >= RANKS[OWNER_OF_SCOPE[needed]]
            response = Client().generic(method, address(path), headers=bearer(token_of(people[role], *scopes)))
            fine = response.status_code in {200, 202, 400, 404, 409, 422} if may else response.status_code == 403
            if not fine:
                wrong.append((where, scopes, role, response.status_code))
        for headers in (
            {},
            bearer(token_of(people["inactive"], "read", "retry")),
            bearer(token_of(people["admin"], "ingest", kind="ingest")),
            {"authorization": "Basic YWRhOnNlc2FtZQ=="},
        ):
            status = Client().generic(method, address(path), headers=headers).status_code
            if status != 401:
                wrong.append((where, str(headers)[:30], "", status))
        cookie = signed_in(people["admin"]).generic(method, address(path)).status_code
        if cookie != 401:
            wrong.append((where, "cookie", "admin", cookie))
    assert wrong == []


def test_a_refusal_is_in_the_audit_log_with_who_and_what(people: dict[str, Person]) -> None:
    Client().get("/api/v1/graph", headers=bearer(token_of(people["operator"], "retry")))
    rows = audit_rows("action", "person_name", "object", "result", "address")
    assert rows == [("view", "operator", "/api/v1/graph", "refused", "127.0.0.1")]
