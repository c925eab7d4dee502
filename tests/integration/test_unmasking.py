"""Masked values for a quarter of an hour: by an admin, for a reason, in one session, written down before (S36)."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client

from collector import audit, clock
from collector.config.document import read
from collector.config.rules import masks, standing
from collector.domain.masking import MASK, Rules
from dashboard.models import Person
from tests.integration.people import PASSWORD, audit_rows, bearer, person, signed_in, token_of
from tests.integration.test_event_bytes import attributes
from tests.integration.test_events import shop

pytestmark = pytest.mark.django_db
ORDER = "/events/demo/orders.created/0/5/"
FORM = "/events/unmask/orders.created/"
RAW = b'{ "email": "ada@example.org", "iban": "DE02120300000000202051", "n": 1 }'
RULES = {
    "people": {"topics": ["orders.*"], "paths": ["$.email", "$.iban"], "key": True, "attributes": ["user.email"]},
}
ASKED = {"fields_shown": ["$.email"], "reason": "PAY-311, asked by the customer", "next": f"{ORDER}?tab=payload"}


@pytest.fixture
def order(db: None) -> Iterator[None]:
    """An order of which something is masked."""
    document, problems = read({"mask": RULES})
    assert problems == ()
    standing.pin(masks(document), seconds=600)
    world = shop()
    world.body("orders.created", (0, 5), RAW)
    attributes(world, user_email="ada@example.org", plain="to see")
    yield
    standing.pin(Rules(), seconds=0)


@pytest.fixture
def admin(order: None) -> Client:
    return signed_in(person("ada", "admin"))


def payload_of(client: Client) -> str:
    return client.get(ORDER, {"tab": "payload"}).content.decode().split('id="payload"')[1].split("</section>")[0]


def test_s36_an_admin_sees_the_field_that_was_asked_for_and_no_other(admin: Client) -> None:
    assert MASK in payload_of(admin)
    assert f'href="{FORM}?next=' in payload_of(admin)
    answer = admin.post(FORM, ASKED)
    assert (answer.status_code, answer["Location"]) == (302, ASKED["next"])
    shown = payload_of(admin)
    assert "ada@example.org" in shown
    assert "DE02" not in shown
    assert "Mask again" in shown
    assert admin.get(f"{ORDER}payload").status_code == 403, "no file while anything is masked"
    assert admin.get(ORDER, {"tab": "payload", "form": "hex"}).content.decode().count(RAW[:8].hex(" ")) == 0


def test_s36_asking_and_every_look_are_in_the_audit_log_without_a_value(admin: Client) -> None:
    admin.post(FORM, ASKED)
    payload_of(admin)
    payload_of(admin)
    rows = audit_rows("action", "person_name", "object", "reason", "facts", actions={"unmask", "see unmasked"})
    assert [row[:4] for row in rows] == [
        ("unmask", "ada", "topic orders.created", ASKED["reason"]),
        ("see unmasked", "ada", "demo/orders.created/0/5", ASKED["reason"]),
        ("see unmasked", "ada", "demo/orders.created/0/5", ASKED["reason"]),
    ]
    assert json.loads(str(rows[0][4]))["fields"] == ["$.email"]
    assert json.loads(str(rows[1][4]))["fields"] == {"orders.created": ["$.email"]}
    assert "ada@example" not in str(rows)


def test_s36_with_a_broken_audit_log_nothing_is_shown(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = audit.append

    def broken(**row: object) -> None:
        if row["action"] in {"unmask", "see unmasked"}:
            raise RuntimeError("no room for the audit log")
        whole(**row)  # type: ignore[arg-type]

    admin.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(audit, "append", broken)
        assert admin.post(FORM, ASKED).status_code == 500
    assert "ada@" not in payload_of(admin)
    admin.post(FORM, ASKED)
    monkeypatch.setattr(audit, "append", broken)
    answer = admin.get(ORDER, {"tab": "payload"})
    assert answer.status_code == 500
    assert b"ada@" not in answer.content


def test_s36_it_ends_after_a_quarter_of_an_hour_in_the_session_and_with_the_role(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(FORM, ASKED)
    assert "ada@" in payload_of(admin)
    other = Client()
    other.post("/login/", {"name": "ada", "password": PASSWORD})
    assert "ada@" not in payload_of(other), "another session of the same person"
    Person.objects.filter(name="ada").update(role="operator")
    assert "ada@" not in payload_of(admin)
    assert "Unmasking needs the admin role." in payload_of(admin)
    Person.objects.filter(name="ada").update(role="admin")
    assert "ada@" in payload_of(admin)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=15, seconds=1))
    monkeypatch.setattr("dashboard.pages.event.clock_now", clock.now)
    assert "ada@" not in payload_of(admin)


def test_what_was_unmasked_is_masked_again_at_once(admin: Client) -> None:
    admin.post(FORM, ASKED)
    answer = admin.post(FORM, {"mask": "1", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/events/", "only ever to a page of ours"
    assert "ada@" not in payload_of(admin)
    assert audit_rows("action", actions={"mask again"}) == [("mask again",)]


def test_with_every_field_unmasked_the_value_is_there_as_it_lies_in_kafka(admin: Client) -> None:
    admin.post(FORM, {**ASKED, "fields_shown": ["$.email", "$.iban", "key", "attribute user.email"]})
    assert admin.get(f"{ORDER}payload").content == RAW
    raw = admin.get(ORDER, {"tab": "payload", "form": "raw"}).content.decode()
    assert "{ &quot;email&quot;: &quot;ada@example.org&quot;, &quot;iban&quot;" in raw
    assert RAW[:16].hex(" ") in admin.get(ORDER, {"tab": "payload", "form": "hex"}).content.decode()
    assert len(audit_rows("action", actions={"see unmasked"})) == 3


def test_an_attribute_of_a_span_is_unmasked_in_the_hop_alone(admin: Client) -> None:
    hop = {"sel": "hop:2"}
    assert "ada@example.org" not in admin.get(ORDER, hop).content.decode()
    admin.post(FORM, {**ASKED, "fields_shown": ["attribute user.email", "$.email"]})
    assert "ada@example.org" in admin.get(ORDER, hop).content.decode()
    assert ("see unmasked",) in audit_rows("action")
    assert "ada@example.org" not in spans_of(admin, "orders.created")
    token = bearer(token_of(Person.objects.get(name="ada"), "read", "payload", "export", "retry", "admin"))
    assert "ada@" not in Client().get("/api/v1/events/demo/orders.created/0/5", headers=token).content.decode()


def spans_of(client: Client, topic: str) -> str:
    """What the export says of spans on this topic."""
    body = json.loads(client.get(f"{ORDER}otlp.json").content)
    return str(
        [span for each in body["resourceSpans"] for span in each["scopeSpans"][0]["spans"] if topic in str(span)]
    )


def test_a_search_finds_no_masked_value_while_it_is_unmasked(admin: Client) -> None:
    admin.post(FORM, {**ASKED, "fields_shown": ["$.email", "key"]})
    before = (
        admin.get("/events/", {"q": "nobody-ever-wrote-this"}).content.decode().replace("nobody-ever-wrote-this", "T")
    )
    body = admin.get("/events/", {"q": "ada@example.org"}).content.decode().replace("ada@example.org", "T")
    assert body.split("<main")[1] == before.split("<main")[1]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"reason": ""}, "This field is required."),
        ({"reason": "x"}, "at least 3"),
        ({"fields_shown": []}, "This field is required."),
        ({"fields_shown": ["$.other"]}, "Select a valid choice"),
    ],
)
def test_without_a_field_of_its_rules_and_a_reason_nothing_is_unmasked(
    admin: Client, changed: dict[str, object], says: str
) -> None:
    answer = admin.post(FORM, {**ASKED, **changed})
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert "ada@" not in payload_of(admin)
    assert audit_rows("action", actions={"unmask"}) == []


def test_s21_the_password_is_asked_for_again_after_a_quarter_of_an_hour(admin: Client) -> None:
    session = admin.session
    session["proved_at"] = int((clock.now() - timedelta(minutes=15, seconds=2)).timestamp())
    session.save()
    assert 'type="password"' in admin.get(FORM).content.decode()
    assert admin.post(FORM, ASKED).status_code == 400
    answer = admin.post(FORM, {**ASKED, "password": "not this one, surely"})
    assert answer.status_code == 403
    assert "not your password" in answer.content.decode()
    assert audit_rows("person_name", "result", actions=())[-1] == ("ada", "failed")
    assert "ada@" not in payload_of(admin)
    assert admin.post(FORM, {**ASKED, "password": PASSWORD}).status_code == 302
    assert "ada@" in payload_of(admin)
    assert 'type="password"' not in admin.get(FORM).content.decode()


def test_s36_nobody_but_an_admin_with_a_session_unmasks(order: None) -> None:
    for role in ("viewer", "operator"):
        client = signed_in(person(role, role))
        assert client.post(FORM, ASKED).status_code == 403
        session = client.session
        session["unmasked"] = [
            {"topic": "orders.created", "fields": ["$.email"], "reason": "x", "until": "2999-01-01T00:00:00+00:00"}
        ]
        session.save()
        assert "ada@" not in client.get(ORDER, {"tab": "payload"}).content.decode()
    assert [row for row in audit_rows("action", "result") if row[0] == "unmask values"] == [
        ("unmask values", "refused"),
        ("unmask values", "refused"),
    ]
    token = bearer(token_of(person("ada", "admin"), "read", "payload", "export", "retry", "admin"))
    assert Client().post(FORM, ASKED, headers=token).status_code == 302, "to the login: no token opens a page"
    assert (
        "Unmasking needs the admin role."
        in signed_in(person("olga", "operator")).get(ORDER, {"tab": "payload"}).content.decode()
    )


def test_there_is_nothing_to_unmask_where_no_rule_is_meant(admin: Client) -> None:
    assert admin.get("/events/unmask/payments.captured/").status_code == 404
