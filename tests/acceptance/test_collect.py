"""Two collectors share real bytes, are killed again and again, and everything is stored once."""

import hashlib
import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from collector.domain.hops import hops
from collector.kafka.properties import Access, properties
from collector.kafka.publisher import KafkaPublisher
from collector.kafka.spool import make_spool
from collector.otlp import decode_protobuf
from collector.ports import Outgoing
from stack.testing import Servers
from tests.unit.otlp_samples import samples

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka]

ROOT = Path(__file__).resolve().parents[2]
N_COPIES = 25  # of all samples
N_KILLS = 6
N_GARBAGE = 20
N_TAPPED = 900
GARBAGE = b"\x0a\x0b not OTLP"


@pytest.fixture
def database_url(kafka_servers: Servers) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = f"collect_{uuid4().hex[:8]}"
    with psycopg.connect(kafka_servers.database_url, autocommit=True) as admin:
        admin.execute(f'create database "{name}"')
        url = urlunsplit(urlsplit(kafka_servers.database_url)._replace(path=f"/{name}"))
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment(url, ""), check=True)
        yield url
        admin.execute(f'drop database "{name}" with (force)')


def environment(database_url: str, bootstrap: str, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {"DATABASE_URL": database_url, "WEIR_KAFKA_BOOTSTRAP": bootstrap, "SECRET_KEY": "s" * 64}
    return {**kept, **own, **more}


class Collector:
    """One `manage.py collect` that is started again after each kill."""

    def __init__(self, env: dict[str, str], ready_file: Path) -> None:
        self._env = {**env, "WEIR_READY_FILE": str(ready_file)}
        self._ready_file = ready_file
        self.start()

    def start(self) -> None:
        self._ready_file.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-u", "manage.py", "collect"], cwd=ROOT, env=self._env)

    def wait_ready(self) -> None:
        until = time.monotonic() + 30
        while not self._ready_file.exists():
            assert self.process.poll() is None, "the collector ended by itself"
            assert time.monotonic() < until
            time.sleep(0.05)
        assert int(self._ready_file.read_text()) == self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        began = time.monotonic()
        self.process.terminate()
        assert self.process.wait(30) == 0
        return time.monotonic() - began


@pytest.fixture
def collectors(kafka_servers: Servers, database_url: str, tmp_path: Path) -> Iterator[list[Collector]]:
    """Two collectors."""
    env = environment(database_url, kafka_servers.kafka_bootstrap or "")
    running = [Collector(env, tmp_path / f"ready-{number}") for number in range(2)]
    yield running
    for each in running:
        each.kill()


def fresh(body: bytes, salt: int) -> bytes:
    """The same request with trace ids of its own."""
    message = TracesData.FromString(body)
    for resource in message.resource_spans:
        for scoped in resource.scope_spans:
            for span in scoped.spans:
                span.trace_id = salted(span.trace_id, salt)
                for link in span.links:
                    link.trace_id = salted(link.trace_id, salt)
    return bytes(message.SerializeToString())


def salted(trace_id: bytes, salt: int) -> bytes:
    return hashlib.blake2b(trace_id + salt.to_bytes(8, "big"), digest_size=16).digest()


def spool_records() -> Iterator[tuple[bytes, bytes]]:
    """(key, value): every request, some of them twice as an SDK's retry sends them, and garbage in between."""
    for number, sample in itertools.product(range(N_COPIES), samples()):
        body = fresh(sample.body, number * 7919 + 1)
        key = hashlib.blake2b(body, digest_size=16).digest()
        yield key, body
        if number % 5 == 0:
            yield key, body
    for number in range(N_GARBAGE):
        yield number.to_bytes(16, "big"), GARBAGE


def truth(records: list[tuple[bytes, bytes]]) -> tuple[Counter[tuple[UUID, int]], int]:
    """How often each span shall be stored, and the sum of the messages they count for."""
    spans: Counter[tuple[UUID, int]] = Counter()
    n_messages = 0
    for body in {body for _, body in records if body != GARBAGE}:
        found = decode_protobuf(body).spans
        spans.update((UUID(bytes=span.trace_id), int.from_bytes(span.span_id, "big", signed=True)) for span in found)
        n_messages += sum(hop.n_messages for hop in hops(found) if hop)
    return spans, n_messages


def test_killed_collectors_lose_nothing_and_double_nothing(
    kafka_servers: Servers, database_url: str, collectors: list[Collector]
) -> None:
    where = properties(Access(kafka_servers.kafka_bootstrap or ""))
    make_spool(where, "weir.spool")
    records = list(spool_records())
    expected, n_messages = truth(records)
    for each in collectors:
        each.wait_ready()
    publisher = KafkaPublisher(where)
    dice = random.Random(4)
    size = len(records) // N_KILLS + 1
    chunks = [records[start : start + size] for start in range(0, len(records), size)]
    for chunk in chunks:
        sent = [
            publisher.publish(Outgoing("weir.spool", key, body, (("source", b"open"), ("part", b"0/1"))))
            for key, body in chunk
        ]
        time.sleep(dice.uniform(0.0, 0.4))
        victim = dice.choice(collectors)
        victim.kill()
        victim.start()
        for acknowledged in sent:
            acknowledged.result(20)
        victim.wait_ready()
    publisher.close(wait_seconds=5)
    traces = sorted({trace for trace, _ in expected})  # other tests may have used the same spool
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert stored_spans(connection, traces, expected.total()) == expected
        sent_and_delivered = "select sum(n_messages) from span where trace_id = any(%s)"
        assert connection.execute(sent_and_delivered, [traces]).fetchone() == (n_messages,)
        garbage = "select count(distinct (partition, kafka_offset)), count(*) from undecodable where first_bytes = %s"
        assert connection.execute(garbage, [GARBAGE]).fetchone() == (N_GARBAGE, N_GARBAGE)
        ledger = "select (select sum(n_spans) from batch) = (select count(*) from span)"
        assert connection.execute(ledger).fetchone() == (True,)
    assert max(each.stop() for each in collectors) < 8  # three, and what a loaded machine adds


def test_killed_collectors_tap_each_record_and_park_each_dead_letter_once(
    kafka_servers: Servers, database_url: str, collectors: list[Collector]
) -> None:
    env = environment(database_url, kafka_servers.kafka_bootstrap or "")
    business, letters = f"tap.{uuid4().hex[:8]}", f"tap.{uuid4().hex[:8]}.dlq"
    where = properties(Access(kafka_servers.kafka_bootstrap or ""))
    admin = AdminClient({**where})
    for created in admin.create_topics([NewTopic(business, 4, 1), NewTopic(letters, 2, 1)]).values():
        created.result(20)
    sampler = subprocess.Popen([sys.executable, "manage.py", "sample"], cwd=ROOT, env=env)
    try:
        publisher = KafkaPublisher(where)
        dice = random.Random(8)
        for each in collectors:
            each.wait_ready()
        for chunk in range(3):
            numbers = range(chunk * N_TAPPED // 3, (chunk + 1) * N_TAPPED // 3)
            sent = [publisher.publish(outgoing(number, business, letters)) for number in numbers]
            time.sleep(dice.uniform(0.0, 0.5))
            victim = dice.choice(collectors)
            victim.kill()
            victim.start()
            for acknowledged in sent:
                acknowledged.result(20)
            victim.wait_ready()
        publisher.close(wait_seconds=5)
        n_letters = len(range(0, N_TAPPED, 10))
        with psycopg.connect(database_url, autocommit=True) as connection:
            until = time.monotonic() + 60
            while (found := tapped(connection, business, letters)) != (N_TAPPED, N_TAPPED, n_letters, n_letters):
                assert time.monotonic() < until, found
                time.sleep(0.3)
            time.sleep(0.5)  # a double would still come
            assert tapped(connection, business, letters) == (N_TAPPED, N_TAPPED, n_letters, n_letters)
    finally:
        sampler.terminate()
        assert sampler.wait(30) == 0


def outgoing(number: int, business: str, letters: str) -> Outgoing:
    """Every tenth record is a dead letter, with Spring's headers."""
    key = f"o-{number}".encode()
    if number % 10:
        return Outgoing(business, key, b"{}", (("order-id", key),))
    headers = (
        ("kafka_dlt-original-topic", business.encode()),
        ("kafka_dlt-original-partition", (0).to_bytes(4, "big")),
        ("kafka_dlt-original-offset", number.to_bytes(8, "big")),
        ("kafka_dlt-exception-fqcn", b"shop.CardDeclined"),
        ("kafka_dlt-exception-message", b"no"),
    )
    return Outgoing(letters, key, b"{}", headers)


def tapped(connection: "psycopg.Connection[Any]", business: str, letters: str) -> tuple[int, int, int, int]:
    """Different records stored, records stored, dead letters, records kept whole."""
    row = connection.execute(
        "select count(distinct (r.topic_id, r.kafka_partition, r.kafka_offset)), count(*),"
        " (select count(*) from dead_letter d join topic t on t.id = d.topic_id where t.name = %s),"
        " (select count(*) from record_body b join topic t on t.id = b.topic_id where t.name = any(%s))"
        " from record r join topic t on t.id = r.topic_id where t.name = any(%s)",
        [letters, [business, letters], [business, letters]],
    ).fetchone()
    assert row is not None
    return (row[0], row[1], row[2], row[3])


def stored_spans(
    connection: "psycopg.Connection[Any]", traces: list[UUID], n_expected: int
) -> Counter[tuple[UUID, int]]:
    """How often each span of these traces is stored, once nothing is expected any more."""
    until = time.monotonic() + 60
    rows: list[tuple[UUID, int]] = []
    while time.monotonic() < until:
        rows = connection.execute("select trace_id, span_id from span where trace_id = any(%s)", [traces]).fetchall()
        (n_waiting,) = connection.execute("select count(*) from undecodable").fetchone() or (0,)
        if len(rows) >= n_expected and n_waiting >= N_GARBAGE:
            time.sleep(0.5)  # a double would still come
            rows = connection.execute(
                "select trace_id, span_id from span where trace_id = any(%s)", [traces]
            ).fetchall()
            break
        time.sleep(0.2)
    return Counter(rows)
