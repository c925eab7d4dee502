"""A real Spring Kafka program and a real Kafka Connect sink dead-letter; what is sent again passes, or dies again.

Both run under OpenTelemetry's Java agent: one sends its spans over gRPC, the other over HTTP.
"""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from collector.domain.records import Record
from collector.kafka.lookup import KafkaLookup
from collector.ports import KafkaUnreachable
from tests.acceptance import screen
from tests.acceptance.java_programs import compiled, java_properties, program
from tests.acceptance.running_demo import ROOT, Demo, demo, eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka, pytest.mark.timeout(900)]  # the first one waits for all

CHARGES, PAYMENTS, INVOICES = "card.charges", "card.payments", "card.invoices"
RETRIES, DEAD_CHARGES, DEAD_INVOICES = (f"{CHARGES}-retry-0", f"{CHARGES}-retry-1"), f"{CHARGES}-dlt", f"{INVOICES}.dlq"
ORDERS = {b"ok-1": b"ok", b"ok-2": b"ok", b"late-1": b"declined", b"late-2": b"declined", b"stolen-1": b"stolen"}
BILLS = {b"bill-1": b'{"n": 1}', b"large-1": b'{"n": 2, "large": true}', b"torn-1": b'{"n": '}
REFUSED = "card.refused"  # nobody can tell by its name or its headers that it holds dead letters
HOME_MADE = {b"refused-1": b'{"why": "too late"}', b"refused-2": b'{"why": "too early"}'}
MAPPING = f"""
[dead_letters.refused]
topics = ["{REFUSED}"]
origin_topic = "={CHARGES}"
group = "=card-billing"
exception = "=Refused"
message = "$.why"
"""
DIE = {"late-1", "late-2", "stolen-1", "large-1", "torn-1"}
OUTCOMES = {
    "late-1": "processed",
    "late-2": "processed",
    "stolen-1": "failed_again",
    "large-1": "passed",
    "torn-1": "failed_again",
}
ENDED = {"processed", "passed", "failed_again"}
PATIENCE_SECONDS = 180  # each on a machine that is busy
T = TypeVar("T")
ATTEMPTS = "retry_topic-attempts"


@dataclass(frozen=True)
class Day:
    """What was seen of one run. Letters by their key; `kept` was sent back by hand with all its headers."""

    letters: Mapping[str, dict[str, Any]]
    outcomes: Mapping[str, dict[str, Any]]
    letters_after: Mapping[str, dict[str, Any]]
    home_made: list[dict[str, Any]]
    kafka: Mapping[str, list[Record]]
    archived: list[str]
    hops: list[tuple[str, int]]
    edges: Mapping[screen.EdgeKey, int]
    path: set[screen.Step]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Everything fails for the first time, is mended, and what died is sent again from the API."""
    folder = tmp_path_factory.mktemp("frameworks")
    code = compiled(folder / "classes")
    with demo(folder / "data", instance="up", WEIR_CLUSTER_NAME="java") as weir, contextlib.ExitStack() as running:
        stack = weir.stack
        mended, client = folder / "mended", folder / "client.properties"
        client.write_text(java_properties(stack["kafka_client"]))
        admin = AdminClient(stack["kafka_client"])  # one that is not kept never answers
        for made in admin.create_topics([NewTopic(INVOICES, 1, 1), NewTopic(REFUSED, 1, 1)]).values():
            made.result(20)
        (folder / "archive").mkdir()
        over_grpc = telemetry("card-billing-svc", "grpc", f"http://{stack['otlp_grpc']}")
        over_http = telemetry("card-archive-svc", "http/protobuf", stack["otlp_http"])
        billing = program(
            code, "shop.Billing", str(client), str(mended), log=folder / "billing.log", telemetry=over_grpc
        )
        archive = program(
            code, "shop.Archive", str(client), str(mended), str(folder / "archive"), log=folder / "archive.log",
            telemetry=over_http,
        )  # fmt: skip
        programs = [running.enter_context(billing), running.enter_context(archive)]
        yield lived_through(weir, programs, mended, folder / "archive" / "archived")


def telemetry(service: str, protocol: str, endpoint: str) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }


def lived_through(weir: Demo, programs: "list[subprocess.Popen[bytes]]", mended: Path, archived: Path) -> Day:
    def until(look: Callable[[], T | None], what: str) -> T:
        def alive() -> T | None:
            assert [process.poll() for process in programs] == [None, None], "a program ended; its log says why"
            with contextlib.suppress(KafkaUnreachable):  # as of a topic that was just made and has no leader yet
                return look()
            return None

        found: T = eventually(alive, seconds=PATIENCE_SECONDS, what=what)
        return found

    client = weir.stack["kafka_client"]
    producer, lookup = Producer(client), KafkaLookup(client)
    until(lambda: lookup.ends(CHARGES), "Spring making its topics")
    for topic, records in ((CHARGES, ORDERS), (INVOICES, BILLS), (REFUSED, HOME_MADE)):
        for key, value in records.items():
            producer.produce(topic, key=key, value=value)
    producer.flush(20)
    letters = until(lambda: all_of(weir, DIE), "five dead letters")
    until(lambda: is_tapped(weir, REFUSED, 1), "the tap of the home-made topic")
    apply(weir, MAPPING)

    mended.touch()
    stolen = next(record for record in in_kafka(lookup, DEAD_CHARGES) if record.key == b"stolen-1")
    producer.produce(CHARGES, key=b"kept-1", value=stolen.value, headers=list(stolen.headers))
    producer.flush(20)
    status, asked = weir.ask(
        "POST", "retries", headers={"Idempotency-Key": "frameworks"},
        body={"dead_letters": [letter["id"] for letter in letters.values()], "expect": len(letters)},
    )  # fmt: skip
    assert status == 202, asked
    outcomes = until(lambda: all_ended(weir, asked["id"], letters), "an outcome of each")
    until(lambda: all_of(weir, DIE | {"kept-1"}), "the letter that kept its headers")
    edges = until(lambda: counted(weir), "the spans of the last sends")
    until(lambda: all_of(weir, set(map(bytes.decode, HOME_MADE))), "what lay on the topic before it was named")
    event = weir.get(f"events/java/{CHARGES}/0/0")
    found = {topic: in_kafka(lookup, topic) for topic in (CHARGES, *RETRIES, DEAD_CHARGES, DEAD_INVOICES, PAYMENTS)}
    lookup.close()
    return Day(
        letters=letters,
        outcomes=outcomes,
        letters_after=all_of(weir, DIE) or {},
        home_made=[letter for letter in weir.get("dead-letters")["items"] if letter["topic"].endswith(REFUSED)],
        kafka=found,
        archived=archived.read_text().split(),
        hops=hops(weir),
        edges=edges,
        path=screen.shown_path(event),
    )


def apply(weir: Demo, settings: str) -> None:
    """What an admin declares."""
    file = weir.folder.parent / "weir.toml"
    file.write_text(settings)
    environment = {**weir.environment, "DATABASE_URL": weir.stack["database_url"], "SECRET_KEY": "s" * 64}
    subprocess.run([sys.executable, "manage.py", "apply", str(file)], cwd=ROOT, env=environment, check=True)


def is_tapped(weir: Demo, topic: str, offset: int) -> bool:
    """Whether the intake has stored a record of partition 0."""
    status, answer = weir.ask("GET", f"events/java/{topic}/0/{offset}")
    return status == 200 and answer["event"]["stored_at"] is not None


def all_of(weir: Demo, keys: set[str]) -> dict[str, dict[str, Any]] | None:
    """The letters of these keys, once each has one."""
    found = {letter["key"]: letter for letter in weir.get("dead-letters")["items"]}
    return {key: found[key] for key in keys} if keys <= found.keys() else None


def all_ended(weir: Demo, operation: int, letters: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]] | None:
    """What came of each send, once it is known: what has passed is processed once its span is there."""
    items = {item["dead_letter"]: item for item in weir.get(f"retries/{operation}")["items"]}
    found = {key: items[letter["id"]] for key, letter in letters.items()}
    early = {key for key, item in found.items() if (item["status"], OUTCOMES[key]) == ("passed", "processed")}
    return found if not early and all(item["status"] in ENDED for item in found.values()) else None


def counted(weir: Demo) -> Mapping[screen.EdgeKey, int] | None:
    """The graph's edges, once the spans of all payments are counted."""
    edges = screen.shown_edges(weir.get("graph", **{"from": "now-1h"}))
    return edges if edges.get(screen.EdgeKey("produce", "card-billing-svc", PAYMENTS, "")) == 4 else None


def hops(weir: Demo) -> list[tuple[str, int]]:
    """Where copies of what Weir had sent came to on retry topics, and after how many deliveries."""
    with psycopg.connect(weir.stack["database_url"]) as connection:
        return connection.execute(
            "select t.name, h.n_failed from retry_hop h join topic t on t.id = h.topic_id order by 1, 2"
        ).fetchall()


def in_kafka(lookup: KafkaLookup, topic: str) -> list[Record]:
    return list(lookup.between(topic, dict(lookup.ends(topic))))


def keys_of(records: list[Record]) -> list[str]:
    return sorted((record.key or b"").decode() for record in records)


def test_each_dead_letter_is_read_as_its_framework_wrote_it(day: Day) -> None:
    read = {
        key: (
            letter["dialect"],
            letter["group"],
            letter["exception"]["class"],
            letter["original"]["topic"],
            letter["original"]["offset"],
        )
        for key, letter in day.letters.items()
    }
    spring = ("spring", "group:java/card-billing", "shop.Billing$CardDeclined", f"topic:java/{CHARGES}")
    connect = ("connect", "group:java/connect-card-archive")
    torn = "org.apache.kafka.connect.errors.DataException"
    assert read == {
        "late-1": (*spring, 2),
        "late-2": (*spring, 3),
        "stolen-1": (*spring, 4),
        "large-1": (*connect, "shop.ArchiveSink$DiskFull", f"topic:java/{INVOICES}", 1),
        "torn-1": (*connect, torn, f"topic:java/{INVOICES}", 2),
    }


def test_what_was_mended_passes_and_the_rest_dies_again(day: Day) -> None:
    assert {key: item["status"] for key, item in day.outcomes.items()} == OUTCOMES
    stands = {key: (letter["id"], letter["status"], letter["attempt"]) for key, letter in day.letters_after.items()}
    assert stands == {
        key: (letter["id"], "open", 2)
        if key in {"stolen-1", "torn-1"}
        else (letter["id"], day.outcomes[key]["status"], 1)
        for key, letter in day.letters.items()
    }
    assert keys_of(day.kafka[PAYMENTS]) == ["late-1", "late-2", "ok-1", "ok-2"]
    assert day.archived == ["bill-1", "large-1"]


def test_the_programs_got_the_very_bytes_of_the_originals_without_a_header_of_the_failure(day: Day) -> None:
    copies = [record for record in day.kafka[CHARGES] if record.first("x-weir-attempt")]
    assert {record.key: record.value for record in copies} == {
        key: ORDERS[key] for key in (b"late-1", b"late-2", b"stolen-1")
    }
    for copy in copies:
        names = [name for name, _ in copy.headers]
        assert not [name for name in names if name.startswith(("kafka_", "retry_topic-"))]


def test_with_its_stale_headers_stripped_a_copy_goes_through_all_retries_again(day: Day) -> None:
    for topic in RETRIES:
        assert keys_of(day.kafka[topic]) == ["late-1", "late-2", "stolen-1", "stolen-1"]
    deaths = [record for record in day.kafka[DEAD_CHARGES] if record.key == b"stolen-1"]
    assert [record.last(ATTEMPTS) for record in deaths] == [deaths[0].last(ATTEMPTS)] * 2
    assert deaths[1].first("x-weir-attempt")


def test_a_copy_in_springs_own_retries_is_known_as_that_of_its_send(day: Day) -> None:
    assert day.hops == [(RETRIES[0], 1), (RETRIES[1], 2)]


def test_with_its_headers_kept_a_copy_skips_all_retries(day: Day) -> None:
    assert "kept-1" in keys_of(day.kafka[DEAD_CHARGES])
    assert "kept-1" not in [key for topic in RETRIES for key in keys_of(day.kafka[topic])]


def test_what_lay_on_a_topic_before_an_admin_named_it_is_read_once_as_they_said(day: Day) -> None:
    assert sorted(
        (letter["key"], letter["dialect"], letter["group"], letter["exception"]["message"]) for letter in day.home_made
    ) == [
        ("refused-1", "mapping", "group:java/card-billing", "too late"),
        ("refused-2", "mapping", "group:java/card-billing", "too early"),
    ]


def test_the_agents_spans_become_edges_with_their_counts_over_grpc_and_http(day: Day) -> None:
    shown = {
        (edge.kind, edge.topic, edge.group): n for edge, n in day.edges.items() if edge.service == "card-billing-svc"
    }
    first, second = RETRIES
    assert shown == {
        ("consume", CHARGES, "card-billing"): 9,
        ("produce", first, ""): 4,
        ("consume", first, "card-billing-retry-0"): 4,
        ("produce", second, ""): 4,
        ("consume", second, "card-billing-retry-1"): 4,
        ("produce", DEAD_CHARGES, ""): 5,
        ("consume", DEAD_CHARGES, "card-billing-dlt"): 5,
        ("produce", PAYMENTS, ""): 4,
    }
    assert {(edge.kind, edge.topic): n for edge, n in day.edges.items() if edge.service == "card-archive-svc"} == {
        ("consume", INVOICES): 3,  # what its converter could not read is in no span
        ("produce", DEAD_INVOICES): 3,
    }


def test_an_events_path_leads_through_the_agents_spans(day: Day) -> None:
    assert day.path >= {
        ("consume", f"{CHARGES}/0/0", "card-billing-svc", "card-billing"),
        ("produce", f"{PAYMENTS}/0/0", "card-billing-svc", ""),
    }
