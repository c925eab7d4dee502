"""A look into a topic: who may ask, what comes of it, what nobody sees, and when it is gone."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from collector import clock
from collector.config.document import read
from collector.config.rules import drops, hidden, standing
from collector.domain.lookups import Question
from collector.domain.masking import MASK, Rules
from collector.domain.records import Headers, Record
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_peek import MemoryPeek
from collector.lookups import answering, requests
from collector.lookups.requests import MOST_KEPT, MOST_WAITING, TooMany
from collector.lookups.sifting import LookRules
from collector.ports import KafkaRefused, Peek
from collector.store import broker_names
from collector.store.leadership import Lead, locked
from tests.integration.graph_world import World as GraphWorld
from tests.integration.intake_world import rows
from tests.integration.people import audit_rows, bearer, person, signed_in, token_of

pytestmark = pytest.mark.usefixtures("clean_tables")

SECRET, DROPPED, PLAIN = "ada@example.org-masked", "4111-dropped", "plain-to-see"
VALUE = json.dumps({"mail": SECRET, "card": DROPPED, "note": f"{PLAIN} of {SECRET}"}).encode()
RULES = {
    "mask": {"people": {"topics": ["orders"], "paths": ["$.mail"], "headers": ["x-user"]}},
    "drop": {"cards": {"topics": ["orders"], "paths": ["$.card"]}},
}
HERE = "/topics/local/orders/?tab=events"


@dataclass
class World:
    """A topic on a broker of lists, and a worker that has its rules."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)
    rules: LookRules = field(default_factory=LookRules)

    def __post_init__(self) -> None:
        identity = self.broker.create("orders", n_partitions=2)
        with connection.cursor() as cursor:
            cluster = broker_names.cluster_row(cursor, "local")
            cursor.execute(
                "insert into topic (cluster_id, name, kafka_id, n_partitions) values (%s, 'orders', %s, 2)"
                " returning id",
                [cluster, identity.kafka_id],
            )
            self.topic = int(cursor.fetchone()[0])

    def write(self, *values: bytes | None, headers: Headers = ()) -> None:
        for value in values:
            self.broker.append(Record("orders", 0, 0, clock.now(), 1, b"order-7", value, headers))

    @contextmanager
    def opened(self, cluster: str) -> Iterator[Peek]:
        if cluster != "local":
            raise KafkaRefused(f"The cluster {cluster} is not observed any more.")
        yield MemoryPeek(self.broker)

    def work(self, *, at: datetime | None = None) -> None:
        """What the worker does when it is woken, or by its schedule."""
        answering.run(self.opened, lambda: self.rules, now=lambda: at or clock.now())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ruled(world: World) -> Iterator[World]:
    """The same with rules that stand for the worker and for pages."""
    document, problems = read(RULES)
    assert problems == ()
    world.rules = LookRules(drops(document), hidden(document), alias_secret=b"s" * 32)
    standing.pin(hidden(document), seconds=600)
    yield world
    standing.pin(Rules(), seconds=0)


def asked(client: Client, **fields: str) -> str:
    """The address of the answer to come."""
    response = client.post("/lookups/", {"cluster": "local", "topic": "orders", "start": "newest", **fields})
    assert response.status_code == 302, response.content.decode()[:2_000]
    return str(response["Location"])


def body(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


def test_a_sample_is_asked_for_waits_says_that_no_worker_runs_and_is_answered(world: World, olga: Client) -> None:
    world.write(b'{"id": 1}', None, b"\x00\xff")
    assert "Sample a payload" in body(olga, HERE)
    url = asked(olga)
    waiting = body(olga, url)
    assert "No worker is running" in waiting
    assert "<live-rows" in waiting
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into part_report (part, instance, at, every_seconds, ok, sentence)"
            " values ('worker', 'a', now(), 5, true, '')"
        )
    assert "Waiting for the worker" in body(olga, url)
    assert audit_rows("action", actions=["see payload"]) == []
    world.work()
    page = body(olga, url)
    for text in ("&quot;id&quot;: 1", "No value (tombstone)", "HEX", "3 scanned", "the oldest that is kept", "order-7"):
        assert text in page, text
    assert "<live-rows" not in page, "what was read does not change"
    number = url.split("/")[-2]
    assert audit_rows("action", "person_name", "object", "result", actions=["sample payloads", "see payload"]) == [
        ("sample payloads", "olga", "local/orders", "done"),
        ("see payload", "olga", f"sample {number} of local/orders", "done"),
    ]
    assert f'href="{url}"' in body(olga, HERE)


def test_it_is_nobody_elses_and_a_viewer_gets_one_line(world: World, olga: Client) -> None:
    world.write(b"for olga")
    url = asked(olga)
    world.work()
    assert "for olga" in body(olga, url)
    assert signed_in(person("ada", "admin")).get(url).status_code == 404
    viewer = signed_in(person("vic"))
    page = body(viewer, HERE)
    assert "Payloads need the operator role." in page
    assert '<form class="sample"' not in page
    assert viewer.get(url).status_code == 403
    assert viewer.post("/lookups/", {"cluster": "local", "topic": "orders", "start": "newest"}).status_code == 403
    assert [row[1] for row in audit_rows("action", "result", actions=["see payloads"])] == ["refused", "refused"]


def test_after_ten_minutes_it_is_gone_for_good(world: World, olga: Client) -> None:
    world.write(b"soon gone")
    url = asked(olga)
    world.work()
    with connection.cursor() as cursor:
        cursor.execute("update lookup set asked_at = asked_at - interval '10 minutes'")
    assert olga.get(url).status_code == 404, "before it is deleted, too"
    world.work()
    assert rows("select (select count(*)::int from lookup), (select count(*)::int from lookup_match)") == [(0, 0)]


def test_who_has_three_unanswered_is_refused_with_a_sentence_and_of_ten_answers_the_oldest_goes(world: World) -> None:
    at = clock.now()

    def ask() -> int:
        return requests.ask(person_id=7, topic_id=world.topic, question=Question(), now=at)

    for _ in range(MOST_WAITING):
        ask()
    with pytest.raises(TooMany, match="Three of your samples still wait"):
        ask()
    requests.ask(person_id=8, topic_id=world.topic, question=Question(), now=at)
    world.work()
    first = rows("select min(id) from lookup where person_id = 7")
    for _ in range(MOST_KEPT):
        ask()
        world.work()
    assert rows("select count(*)::int from lookup where person_id = 7") == [(MOST_KEPT,)]
    assert rows("select count(*)::int from lookup where id = %s", first[0][0]) == [(0,)]
    olga = signed_in(person("olga", "operator"))
    for _ in range(MOST_WAITING):
        asked(olga)
    refused = olga.post("/lookups/", {"cluster": "local", "topic": "orders", "start": "newest"})
    assert refused.status_code == 409
    assert "Three of your samples still wait" in refused.content.decode()
    assert audit_rows("action", "result", actions=["sample payloads"])[-1] == ("sample payloads", "failed")


def test_what_is_dropped_is_in_no_row_and_what_is_masked_on_no_page(ruled: World) -> None:
    ruled.write(VALUE, headers=(("x-user", SECRET.encode()), ("copy", DROPPED.encode())))
    ruled.write(f"no JSON {DROPPED}".encode())
    for role in ("operator", "admin"):
        client = signed_in(person(role, role))
        url = asked(client)
        ruled.work()
        kept = rows("select key, value, headers from lookup_match")
        assert DROPPED not in str(kept)
        assert SECRET in str(kept), "masked is stored"
        for page in (body(client, url), body(client, f"{url}?place=0"), body(client, f"{url}?place=1")):
            assert SECRET not in page
            assert DROPPED not in page
        page = body(client, url)
        assert PLAIN in page
        assert MASK in page
        assert "Masked by" in page
        assert "was not kept: a drop rule is meant for it" in page
        none = asked(client, words=SECRET)
        ruled.work()
        assert "holds these words" in body(client, none)
        assert SECRET not in body(client, url)


def test_s36_an_admin_unmasks_a_field_and_each_look_is_noted(ruled: World) -> None:
    ruled.write(VALUE)
    ada = signed_in(person("ada", "admin"))
    url = asked(ada)
    ruled.work()
    assert SECRET not in body(ada, url)
    alone = f"{url}?place=0"
    wanted = {"fields_shown": ["$.mail"], "reason": "a customer asks", "next": alone}
    assert ada.post("/events/unmask/orders/", wanted).status_code == 302
    assert SECRET not in body(ada, url), "never in the list"
    assert audit_rows("action", actions=["see unmasked"]) == []
    assert SECRET in body(ada, alone)
    assert audit_rows("action", "reason", actions=["see unmasked"]) == [("see unmasked", "a customer asks")]
    other = signed_in(person("olga", "operator"))
    theirs = asked(other)
    ruled.work()
    assert SECRET not in body(other, theirs)


def test_words_that_were_looked_for_are_not_in_the_audit_log(world: World, olga: Client) -> None:
    asked(olga, words="Ada Lovelace", within="value")
    asked(olga)
    with_words, without = (str(row[1]) for row in audit_rows("action", "facts::text", actions=["sample payloads"]))
    assert "Lovelace" not in with_words
    facts = json.loads(with_words)
    assert (facts["words_length"], facts["within"]) == (12, "value")
    assert not {"words_length", "within"} & set(json.loads(without))
    assert "Ada Lovelace" in str(rows("select question::text from lookup")), "for ten minutes the worker needs them"


def test_a_sample_goes_on_in_its_own_topic_alone(world: World, olga: Client) -> None:
    world.write(*(b"value-%03d" % n for n in range(150)))
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into topic (cluster_id, name, kafka_id, n_partitions)"
            " select id, 'other', gen_random_uuid(), 1 from cluster where name = 'local'"
        )
    number = asked(olga).split("/")[-2]
    world.work()
    elsewhere = {"cluster": "local", "topic": "other", "after": number}
    assert olga.post("/lookups/", elsewhere).status_code == 404
    token = bearer(token_of(person("otto", "operator"), "payload"))
    first = Client().post("/api/v1/topics/local/orders/lookups", {}, content_type="application/json", headers=token)
    world.work()
    for topic, status in (("other", 404), ("orders", 202)):
        at, after = f"/api/v1/topics/local/{topic}/lookups", {"after": first.json()["id"]}
        assert Client().post(at, after, content_type="application/json", headers=token).status_code == status


def test_partitions_that_did_not_answer_are_counted_as_not_read(world: World) -> None:
    class Leaderless(MemoryPeek):
        def since(self, topic: str, numbers: Collection[int], at: datetime) -> Mapping[int, int | None]:
            return super().since(topic, set(numbers) - {1}, at)

    world.write(b"a")
    otto = person("otto", "operator")
    token, client = bearer(token_of(otto, "payload")), Client()
    wanted = {"start": "moment", "at": "now-1h"}
    at = "/api/v1/topics/local/orders/lookups"
    number = client.post(at, wanted, content_type="application/json", headers=token).json()["id"]
    assert client.get(f"/api/v1/lookups/{number}", headers=token).json()["partitions_left_out"] == 0, "not known yet"
    answering.run(lambda _: nullcontext(Leaderless(world.broker)), LookRules, now=clock.now)
    answer = client.get(f"/api/v1/lookups/{number}", headers=token).json()
    assert [each["partition"] for each in answer["partitions"]] == [0]
    assert (answer["topic_partitions"], answer["partitions_left_out"]) == (2, 1)
    assert "1 partition asked for was not read" in body(signed_in(otto), f"/lookups/{number}/")


def test_a_rule_that_comes_later_hides_what_was_read_before(world: World, olga: Client) -> None:
    world.write(VALUE)
    url = asked(olga)
    world.work()
    assert SECRET in body(olga, url)
    document, _ = read(RULES)
    standing.pin(hidden(document), seconds=600)
    page = body(olga, url)
    assert SECRET not in page
    assert DROPPED not in page
    standing.pin(Rules(), seconds=0)


def test_going_on_reads_what_lies_beyond(world: World, olga: Client) -> None:
    world.write(*(b"value-%03d" % n for n in range(250)))
    url = asked(olga)
    world.work()
    page = body(olga, url)
    assert "value-249" in page
    assert "value-149" not in page
    assert "100 records" in page
    on = asked(olga, after=url.split("/")[-2])
    world.work()
    page = body(olga, on)
    assert "value-149" in page
    assert "value-150" not in page
    assert "Back from where an earlier sample stopped" in page
    assert olga.post("/lookups/", {"cluster": "local", "topic": "orders", "after": "999999"}).status_code == 404


def test_the_form_takes_a_moment_and_a_position_and_says_what_is_wrong(world: World, olga: Client) -> None:
    world.write(*(b"value-%d" % n for n in range(10)))
    url = asked(olga, start="offset", partition="0", offset="7")
    world.work()
    page = body(olga, url)
    assert "value-7" in page
    assert "value-6" not in page
    assert "From 0/7 on" in page
    url = asked(olga, start="moment", at="now-1h", words="value-3", within="value")
    world.work()
    assert "1 matched" in body(olga, url)
    for fields, said in (
        ({"start": "moment", "at": "yesterday"}, "A moment is now-2h"),
        ({"start": "moment", "at": ""}, "Say from which moment."),
        ({"start": "offset", "partition": "0"}, "Say from which offset."),
        ({"start": "offset", "partition": "0", "offset": "-1"}, "greater than or equal to 0"),
        ({"start": "newest", "words": "x" * 201}, "at most 200"),
    ):
        response = olga.post("/lookups/", {"cluster": "local", "topic": "orders", **fields})
        assert response.status_code == 400, fields
        assert said in response.content.decode(), fields
    assert olga.post("/lookups/", {"cluster": "local", "topic": "nothing", "start": "newest"}).status_code == 404


def test_why_nothing_could_be_read_is_said_in_words(world: World, olga: Client) -> None:
    world.write(b"a")
    world.broker.forbidden.add("orders")
    refused = asked(olga)
    world.work()
    assert "Grant Describe and Read there to the user that Weir reads as." in body(olga, refused)
    world.broker.up = False
    away = asked(olga)
    world.work()
    assert "Kafka did not answer" in body(olga, away)
    world.broker.up = True
    del world.broker.topics["orders"]
    gone = asked(olga)
    world.work()
    assert "no topic orders any more" in body(olga, gone)
    lost = asked(olga)
    with connection.cursor() as cursor:
        cursor.execute("update cluster set name = 'renamed' where name = 'local'")
    world.work()
    assert "not observed any more" in body(olga, lost)


def test_a_worker_that_ended_while_it_read_leaves_a_sentence(world: World, olga: Client) -> None:
    url = asked(olga)
    with connection.cursor() as cursor:
        cursor.execute("update lookup set taken_at = now()")
    assert "Being read from Kafka" in body(olga, url)
    world.work()
    assert rows("select answered_at from lookup") == [(None,)], "another one may be reading"
    world.work(at=clock.now() + timedelta(minutes=2))
    assert "The worker ended while it read. Ask again." in body(olga, url)


def test_a_fault_of_ours_is_said_and_not_swallowed(world: World, olga: Client) -> None:
    url = asked(olga)

    @contextmanager
    def broken(cluster: str) -> Iterator[Peek]:
        yield None  # type: ignore[misc]

    with pytest.raises(AttributeError):
        answering.run(broken, LookRules, now=clock.now)
    assert "A fault of Weir" in body(olga, url)


def test_more_questions_than_places_wait_and_none_is_lost(world: World, olga: Client) -> None:
    url = asked(olga)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            for number in range(answering.AT_ONCE):
                cursor.execute("select pg_advisory_lock(%s, %s)", [int(Lead.LOOKUP), number])
        world.work()
        assert rows("select taken_at from lookup") == [(None,)]
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock_all()")
    finally:
        other.close()
    world.work()
    assert "There was nothing to read." in body(olga, url)
    with locked(Lead.LOOKUP, range(1)) as is_free:
        assert is_free, "given back"


def test_a_list_too_fast_to_read_stands_still_and_offers_a_sample(olga: Client) -> None:
    graph = GraphWorld(clock.now())
    slow, fast = graph.topic("slow"), graph.topic("fast")
    for ago in range(600, -1, -10):
        graph.scanned(ago=ago)
        graph.watermarks(slow, [(600 - ago) * 49], ago=ago)
        graph.watermarks(fast, [(600 - ago) * 420], ago=ago)
    page = body(olga, "/topics/demo/slow/?tab=events")
    assert '<live-rows id="recent"' in page
    assert "Too fast" not in page
    page = body(olga, "/topics/demo/fast/?tab=events")
    assert "Too fast to read (420/s, last minute)" in page
    assert "Sample 100" in page
    assert '<live-rows id="recent"' not in page
    viewers = body(signed_in(person("vic")), "/topics/demo/fast/?tab=events")
    assert "Too fast to read (420/s" in viewers
    assert "Sample 100" not in viewers


def test_the_api_asks_and_reads_with_the_payload_scope_of_the_one_who_asked(ruled: World) -> None:
    ruled.write(VALUE, b"\x00\xff", headers=(("x-user", SECRET.encode()), ("h", None)))
    olga = person("olga", "operator")
    token, client = bearer(token_of(olga, "payload")), Client()
    where = "/api/v1/topics/local/orders/lookups"
    asked = client.post(where, {"start": "newest"}, content_type="application/json", headers=token)
    assert asked.status_code == 202
    number = asked.json()["id"]
    url = f"/api/v1/lookups/{number}"
    waiting = client.get(url, headers=token).json()
    assert (waiting["state"], waiting["records"], waiting["topic"]) == ("waiting", [], "topic:local/orders")
    assert audit_rows("action", actions=["see payload"]) == []
    ruled.work()
    answer = client.get(url, headers=token).json()
    assert (answer["state"], answer["scanned"], answer["matched"], answer["goes_on"]) == ("answered", 2, 2, False)
    assert [(each["partition"], each["begin"], each["end"], each["stopped_at"]) for each in answer["partitions"]] == [
        (0, 0, 2, "beginning"),
        (1, 0, 0, "beginning"),
    ]
    withheld, masked = answer["records"]
    assert withheld["value"] is None
    assert masked["value"]["form"] == "json"
    assert json.loads(masked["value"]["text"]) == {"mail": MASK, "note": f"{PLAIN} of {MASK}"}
    assert masked["key"]["text"] == "order-7"
    assert SECRET not in json.dumps(answer)
    assert DROPPED not in json.dumps(answer)
    other = bearer(token_of(person("otto", "operator"), "payload"))
    assert client.get(url, headers=other).status_code == 404
    assert f"/lookups/{number}/" == asked.json()["url"]
    assert signed_in(olga).get(f"/lookups/{number}/").status_code == 200, "the same person's"
    seen = audit_rows("action", "person_name", "facts::text", actions=["sample payloads", "see payload"])
    assert [row[:2] for row in seen] == [("sample payloads", "olga"), ("see payload", "olga"), ("see payload", "olga")]
    assert '"token"' in str(seen[1][2])
    for wanted, status in (
        ({"start": "moment", "at": "now-1h", "words": "4"}, 202),
        ({"start": "offset", "partition": 0, "offset": 1}, 202),
        ({"start": "moment"}, 422),
        ({"start": "moment", "at": "then"}, 400),
        ({"start": "offset", "partition": 0}, 422),
        ({"words": "x" * 201}, 422),
        ({"after": 10**9}, 404),
        ({"start": "newest"}, 202),
        ({"start": "newest"}, 409),
    ):
        found = client.post(where, wanted, content_type="application/json", headers=token)
        assert found.status_code == status, wanted


def test_a_partition_that_does_not_exist_is_named(world: World, olga: Client) -> None:
    world.write(b"a")
    url = asked(olga, partition="9")
    world.work()
    assert "has no such partition: they are 0 to 1." in body(olga, url)


def test_a_dead_letter_is_masked_and_dropped_by_the_rules_of_the_topic_it_came_from(ruled: World) -> None:
    ruled.broker.create("orders.dlq")
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into topic (cluster_id, name, kafka_id, n_partitions, role)"
            " select id, 'orders.dlq', gen_random_uuid(), 1, 1 from cluster where name = 'local'"
        )
    death = (("kafka_dlt-original-topic", b"orders"), ("kafka_dlt-exception-fqcn", b"shop.Declined"))
    ruled.broker.append(Record("orders.dlq", 0, 0, clock.now(), 1, b"k", VALUE, death))
    olga = signed_in(person("olga", "operator"))
    url = asked(olga, topic="orders.dlq")
    ruled.work()
    page = body(olga, url)
    assert PLAIN in page
    assert SECRET not in page
    assert DROPPED not in str(rows("select value from lookup_match"))


def test_an_event_whose_bytes_were_not_kept_is_read_from_kafka_alone(olga: Client) -> None:
    graph, at = GraphWorld(clock.now()), "/events/demo/orders/0/5/"
    topic = graph.topic("orders")
    graph.scanned(ago=1)
    graph.watermarks(topic, [9], ago=1)
    page = olga.get(at)
    assert page.status_code == 404
    assert "Read it from Kafka" in page.content.decode()
    assert "Read it from Kafka" not in olga.get("/events/demo/orders/0/9/").content.decode(), "none is there"
    assert "Read it from Kafka" not in signed_in(person("vic")).get(at).content.decode()
    broker = MemoryBroker()
    broker.create("orders")
    for n in range(9):
        broker.append(Record("orders", 0, 0, clock.now(), 1, None, b"value-%d" % n, ()))
    fields = {"cluster": "demo", "topic": "orders", "start": "offset", "partition": "0", "offset": "5", "most": "1"}
    url = olga.post("/lookups/", fields)["Location"]
    answering.run(lambda _: nullcontext(MemoryPeek(broker)), LookRules, now=clock.now)
    read_so = body(olga, url)
    assert "value-5" in read_so
    assert "value-6" not in read_so
    assert "1 record</h2>" in read_so
    on = olga.post("/lookups/", {"cluster": "demo", "topic": "orders", "after": url.split("/")[-2]})["Location"]
    answering.run(lambda _: nullcontext(MemoryPeek(broker)), LookRules, now=clock.now)
    assert "value-6" in body(olga, on)
