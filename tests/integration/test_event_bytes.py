"""The bytes of an event as a file; what mask rules hide of spans and of kept paths; two paths side by side."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from collector.config.document import read
from collector.config.rules import masks, standing
from collector.domain.masking import MASK, Rules, concealed_attributes
from dashboard.path_comparison import compared
from dashboard.queries.events import event
from tests.integration.path_world import PROCESS, SEND, PathWorld
from tests.integration.people import audit_rows, person, signed_in
from tests.integration.test_events import shop

pytestmark = pytest.mark.django_db
ORDER = "/events/demo/orders.created/0/5/"
RULES = {
    "people": {"topics": ["orders.*"], "paths": ["$.email"], "attributes": ["user.email"]},
    "queries": {"topics": ["nothing"], "attributes": ["db.statement"]},
}


@pytest.fixture
def operator() -> Client:
    return signed_in(person("olga", "operator"))


@pytest.fixture
def masked() -> Iterator[None]:
    """Those rules stand."""
    document, problems = read({"mask": RULES})
    assert problems == ()
    standing.pin(masks(document), seconds=600)
    yield
    standing.pin(Rules(), seconds=0)


def attributes(world: PathWorld, **named: str) -> None:
    """Give every span these attributes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into attribute_set (digest, body) values (gen_random_uuid(), %s) returning id",
            [
                json.dumps(
                    {"span": {name.replace("_", "."): value for name, value in named.items()}, "resource": {}}
                ).encode()
            ],
        )
        cursor.execute("update span set attrs_id = %s", [cursor.fetchone()[0]])


def test_the_value_is_downloaded_as_it_was(operator: Client) -> None:
    world = shop()
    raw = b'{ "a":1,\r\n"b" : 2}\x00'
    world.body("orders.created", (0, 5), raw)
    assert f'href="{ORDER}payload"' in operator.get(ORDER, {"tab": "payload"}).content.decode()
    answer = operator.get(f"{ORDER}payload")
    assert answer.content == raw
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.created-0-5.bin"'
    assert ("download payload", "demo/orders.created/0/5", "done") in audit_rows("action", "object", "result")


def test_there_is_no_file_of_what_is_not_there_is_masked_or_not_for_one_s_eyes(operator: Client, masked: None) -> None:
    world = shop()
    world.body("orders.created", (0, 9), None)
    world.body("orders.created", (0, 5), b'{"email":"ada@example.org"}')
    assert operator.get(f"{ORDER}payload").status_code == 403
    page = operator.get(ORDER, {"tab": "payload"}).content.decode()
    assert "Masked by <bdi>people</bdi>" in page
    assert "Download" not in page
    assert "ada@" not in page
    for place in ("0/9", "0/6"):
        assert operator.get(f"/events/demo/orders.created/{place}/payload").status_code == 404
    assert signed_in(person("vera", "viewer")).get(f"{ORDER}payload").status_code == 403


def test_masked_attributes_of_spans_hide_on_the_page_and_in_the_export(operator: Client, masked: None) -> None:
    world = shop()
    world.body("orders.created", (0, 5), b"{}")
    attributes(world, user_email="ada@example.org", note="of ada@example.org", plain="to see")
    page = operator.get(ORDER, {"sel": "hop:2"}).content.decode()
    assert "to see" in page
    export = operator.get(f"{ORDER}otlp.json").content.decode()
    assert "to see" in export
    spans = [span for each in json.loads(export)["resourceSpans"] for span in each["scopeSpans"][0]["spans"]]
    by_topic = {
        next(each["value"]["stringValue"] for each in span["attributes"] if "destination.name" in each["key"]): span
        for span in spans
    }
    said = {each["key"]: each["value"]["stringValue"] for each in by_topic["orders.created"]["attributes"][:3]}
    assert said == {"user.email": MASK, "note": MASK, "plain": "to see"}
    elsewhere = {each["key"]: each["value"]["stringValue"] for each in by_topic["payments.captured"]["attributes"][:3]}
    assert elsewhere["user.email"] == "ada@example.org"


def test_attributes_hide_with_their_copies() -> None:
    found = concealed_attributes(frozenset({"a"}), {"a": "secret", "b": ["no secret", 7], "c": 1})
    assert found == {"a": MASK, "b": [f"no {MASK}", 7], "c": 1}
    assert concealed_attributes(frozenset(), {"a": "secret"}) == {"a": "secret"}


def test_attributes_can_only_be_masked() -> None:
    _, problems = read({"drop": {"people": {"topics": ["*"], "attributes": ["user.email"]}}})
    assert [(each.key, "can only be masked" in each.sentence) for each in problems] == [
        ("drop.people.attributes", True)
    ]


def test_a_kept_path_is_masked_as_of_its_reading(operator: Client) -> None:
    world = shop()
    world.body("orders.created", (0, 5), b'{"email":"no"}')
    attributes(world, user_email="ada@example.org")
    operator.post(f"{ORDER}keep/")
    with connection.cursor() as cursor:
        for table in (
            "span",
            "span_link",
            "span_error",
            "record",
            "record_body",
            "record_key",
            "retry_item",
            "dead_letter",
        ):
            cursor.execute(f"delete from {table}")
    page = operator.get(ORDER, {"sel": "hop:2"}).content.decode()
    assert "order-123" in page
    assert "CardDeclined" in page
    assert "ada@example.org" in operator.get(f"{ORDER}otlp.json").content.decode()
    document, _ = read({"mask": RULES})
    standing.pin(masks(document), seconds=600)
    try:
        page = operator.get(ORDER, {"sel": "hop:2"}).content.decode()
        export = operator.get(f"{ORDER}otlp.json").content.decode()
    finally:
        standing.pin(Rules(), seconds=0)
    assert "order-123" not in page.split('id="path"')[0].split("<main")[1]
    assert "CardDeclined" in page
    addresses = [
        attribute["value"]["stringValue"]
        for each in json.loads(export)["resourceSpans"]
        for span in each["scopeSpans"][0]["spans"]
        for attribute in span["attributes"]
        if attribute["key"] == "user.email"
    ]
    assert sorted(set(addresses)) == ["ada@example.org", MASK]
    assert "exception.message" not in export


def test_the_reason_of_a_failure_hides_what_any_record_of_the_path_masks(operator: Client, masked: None) -> None:
    world = PathWorld()
    world.span((1, 1), SEND, "orders.created", "orders-svc")
    world.record("orders.created", (0, 5), by=(1, 1))
    world.body("orders.created", (0, 5), b'{"email":"ada@example.org"}')
    world.span((1, 2), PROCESS, "orders.created", "billing-svc", at=1, parent=1, place=(0, 5))
    world.span((1, 3), SEND, "payments", "billing-svc", at=2, parent=2, place=(0, 1))
    error = ("Refused", "nobody called ada@example.org")
    world.span((1, 4), PROCESS, "payments", "ledger", at=3, parent=3, place=(0, 1), error=error)
    page = event("demo", "orders.created", 0, 5)
    assert page is not None
    assert page.path.hops[-1].exception_message == f"nobody called {MASK}"


def test_two_paths_stand_side_by_side_with_their_differences_marked(operator: Client) -> None:
    world = shop()
    world.span((50, 1), SEND, "orders.created", "orders-svc", at=200)
    world.record("orders.created", (1, 7), by=(50, 1), at=200)
    world.span((51, 1), PROCESS, "orders.created", "billing-svc", at=201, place=(1, 7), group="billing",
               links=[((50, 1), None)])  # fmt: skip
    world.span((51, 2), SEND, "payments.captured", "billing-svc", at=201.2, parent=1)
    one, other = event("demo", "orders.created", 0, 5), event("demo", "orders.created", 1, 7)
    assert one is not None
    assert other is not None
    found = compared(one.path, other.path)
    assert [(pair.one.topic_name, pair.side, pair.differences) for pair in found.pairs[:3]] == [
        ("orders.created", "both", ()),
        ("orders.created", "both", ("failed, there ok", "wait +1.0 s")),
        ("orders.created.dlq", "here", ("only here",)),
    ]
    assert found.n_differences == sum(1 for pair in found.pairs if pair.differences)
    page = operator.get(ORDER, {"with": "orders.created/1/7"}).content.decode()
    assert "failed, there ok; wait +1.0 s" in page
    assert "No event is known at this position." in operator.get(ORDER, {"with": "nonsense"}).content.decode()
