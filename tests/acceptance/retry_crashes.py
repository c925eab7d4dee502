"""Resends while everything is killed: `python -m tests.acceptance.retry_crashes [--seed N] [--letters 10000]`.

Two workers send at 500/s. Workers, Kafka, Postgres and Valkey get SIGKILL at random moments, Kafka also stands still
(SIGSTOP). At the end each letter must have one right state, and the target each at most once, save what is unknown.
"""

import argparse
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import django
import psycopg

from stack import cache, kafka, places, postgres, valkey
from stack.environment import server_environment
from stack.life import State
from stack.part import Part
from stack.ports import free_port
from stack.processes import signal_group
from stack.supervisor import Supervisor
from stack.weir_parts import CELERY, ROOT, announced, forgets

TOPIC, N_PARTITIONS, N_KEYS = "orders.crashes", 6, 3_000
MOST_SECONDS = 1_800
VICTIMS = ("worker", "worker-2", "kafka", "postgres", "valkey")
FROZEN = "kafka, frozen"
SETTLED = {2: "sent", 3: "unknown", 7: "not sent"}


def main(words: Sequence[str]) -> int:
    """0 when everything held; the seed is printed first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--letters", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--kills", type=int, default=15)
    asked = parser.parse_args(words)
    _say(f"--seed {asked.seed} --letters {asked.letters} --rate {asked.rate} --kills {asked.kills}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        return _run(folder, asked)


def _run(folder: Path, asked: argparse.Namespace) -> int:
    parts, addresses = _parts(folder)
    supervisor = Supervisor(parts, places.made_private(folder / "logs"), say=_say)
    try:
        supervisor.start()
        letters = _fill(addresses, asked.letters)
        operation = _ask(letters, asked.rate)
        _fight(supervisor, operation, asked)
        return _judge(addresses, asked.letters)
    finally:
        supervisor.stop()
        postgres.remove_outside(folder / "servers" / "pg")


def _parts(folder: Path) -> tuple[tuple[Part, ...], dict[str, str]]:
    """The servers and Weir's parts that send; the environment that all of Weir's share, set here too."""
    fetched = cache.filled(os.environ, say=_say)
    place = places.made_data_folder(folder / "servers")
    store = postgres.embedded(place / "pg", port=free_port())
    queue = valkey.embedded(place / "valkey", port=free_port())
    broker = kafka.embedded(
        place / "kafka",
        jars=fetched.kafka_jars,
        start_cache=fetched.start_cache,
        ports=(free_port(), free_port()),
        asks_password=False,
    )
    env = {
        **server_environment(os.environ),
        "DATABASE_URL": store.url,
        "CELERY_BROKER_URL": queue.url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "WEIR_DATA_DIR": str(folder / "weir"),
        "WEIR_CLUSTER_NAME": "demo",
        "WEIR_KAFKA_BOOTSTRAP": broker.bootstrap,
        "WEIR_SPOOL_BOOTSTRAP": broker.bootstrap,
    }
    os.environ |= env
    plain = server_environment(os.environ)
    servers = [part for server in (store, queue, broker) for part in server.parts(env=plain)]
    migrate = Part(
        name="migrate", argv=(sys.executable, "manage.py", "migrate", "--no-input"), env=env, cwd=ROOT,
        after=("postgres",), once=True,
    )  # fmt: skip
    work = ("worker", "-P", "threads", "-c", "4", "--without-gossip", "--without-mingle", "--loglevel", "INFO")
    beat = ("beat", "--schedule", str(folder / "beat"), "--pidfile=")
    ours = [
        _weir(name, (*CELERY, *how), env, folder)
        for name, how in (("worker", (*work, "-n", "one")), ("worker-2", (*work, "-n", "two")), ("beat", beat))
    ]
    return (*servers, migrate, *ours), env


def _weir(name: str, argv: tuple[str, ...], env: dict[str, str], folder: Path) -> Part:
    ready = places.made_private(folder / "ready") / name
    return Part(
        name=name, argv=argv, env={**env, "WEIR_READY_FILE": str(ready)}, cwd=ROOT,
        after=("migrate", "valkey", "kafka"), prepare=forgets(ready), ready=announced(ready),
    )  # fmt: skip


def _fill(addresses: dict[str, str], n_letters: int) -> list[int]:
    """Originals in Kafka, and as many dead letters of them in Postgres, several of most keys; their ids."""
    django.setup()
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic
    from django.db import connection

    from collector.domain.dialects import read
    from collector.store.dead_letters import park
    from tests.acceptance.topic_ids import topic_ids
    from tests.integration.letter_world import AT, LetterWorld, dead_record, rows

    bootstrap: dict[str, str | int | float | bool] = {"bootstrap.servers": addresses["WEIR_KAFKA_BOOTSTRAP"]}
    admin = AdminClient(bootstrap)
    admin.create_topics([NewTopic(TOPIC, N_PARTITIONS, 1)])[TOPIC].result(20)
    kafka_id = topic_ids(addresses["WEIR_KAFKA_BOOTSTRAP"], [TOPIC])[TOPIC]
    world = LetterWorld()
    rows("update topic set name = %s, kafka_id = %s where id = %s returning id", TOPIC, kafka_id, world.orders)
    producer, records = Producer({**bootstrap, "enable.idempotence": True}), []
    for n in range(n_letters):
        partition, offset = n % N_PARTITIONS, n // N_PARTITIONS
        dead = replace(dead_record(n, origin_offset=offset), key=f"order-{n % N_KEYS}".encode())
        producer.produce(TOPIC, key=dead.key, value=dead.value, partition=partition)
        changed = {
            "kafka_dlt-original-topic": TOPIC.encode(),
            "kafka_dlt-original-partition": partition.to_bytes(4, "big"),
        }
        records.append(replace(dead, headers=tuple((name, changed.get(name, held)) for name, held in dead.headers)))
        if n % 1_000 == 0:
            producer.flush(30)
    producer.flush(30)
    for at in range(0, n_letters, 1_000):
        with connection.cursor() as cursor:
            found = [(record, world.dlq, letter) for record in records[at : at + 1_000] if (letter := read(record))]
            park(cursor, found, now=AT)
    return [int(str(number)) for (number,) in rows("select id from dead_letter order by id")]


def _ask(letters: list[int], per_second: int) -> int:
    from collector.clock import now
    from collector.domain.canary import Sending
    from collector.retry.requests import retry

    sending = Sending(rate_per_second=per_second, wait_seconds=3_600, stop_percent=100)
    return retry(
        letters, person_id=1, person_name="operator1", token=uuid4().hex, target=None, expect=len(letters), now=now(),
        sending=sending,
    ).id  # fmt: skip


def _fight(supervisor: Supervisor, operation: int, asked: argparse.Namespace) -> None:
    """Kill at random until nothing waits any more: when so many are left, each victim about as often as the others."""
    dice = random.Random(asked.seed)
    began = time.monotonic()
    deeds = [*VICTIMS, FROZEN] * (asked.kills // (len(VICTIMS) + 1) + 1)
    plan = sorted(((dice.uniform(0.02, 0.98) * asked.letters, deeds[at]) for at in range(asked.kills)), reverse=True)
    thaws: list[tuple[float, int]] = []
    while (left := _left()) != 0 or plan:
        since = time.monotonic() - began
        if since > MOST_SECONDS:
            raise SystemExit(f"{left} are not settled after {MOST_SECONDS} s")
        if plan and left is not None and left <= plan[0][0]:
            thaws += _strike(supervisor, plan.pop(0)[1], since, left, dice)
        for at, pid in [each for each in thaws if since >= each[0]]:
            thaws.remove((at, pid))
            signal_group(pid, signal.SIGCONT)
        supervisor.tick()
        time.sleep(0.02)
    took = time.monotonic() - began
    _say(f"operation {operation}: settled after {took:.0f} s")


def _strike(
    supervisor: Supervisor, deed: str, since: float, left: int | None, dice: random.Random
) -> list[tuple[float, int]]:
    """Do one deed; when a frozen broker goes on."""
    _say(f"{since:6.1f} s  {deed}   ({'?' if left is None else left} left)")
    name = "kafka" if deed == FROZEN else deed
    life = supervisor.lives[name]
    life.failures = 0  # it was not its own fault: no long pause
    if deed == FROZEN and life.pid is not None and life.state is State.READY:
        signal_group(life.pid, signal.SIGSTOP)
        return [(since + dice.uniform(2, 15), life.pid)]
    supervisor.kill_part(name)
    return []


def _left() -> int | None:
    """How many wait or are being sent; None while Postgres does not say."""
    from django.db import DatabaseError, connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from retry_item where status in (0, 1)")
            return int(cursor.fetchone()[0])
    except (DatabaseError, psycopg.Error):
        connection.close()
        return None


def _judge(addresses: dict[str, str], n_letters: int) -> int:
    """Compare what Weir says with what the target holds; 0 when it is the same."""
    from collector.domain.dead_letters import LETTER_OF_ITEM, ItemStatus
    from collector.kafka.lookup import KafkaLookup
    from tests.integration.letter_world import rows
    from tests.integration.retry_world import counts_fit

    lookup = KafkaLookup({"bootstrap.servers": addresses["WEIR_KAFKA_BOOTSTRAP"]})
    copies: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    for record in lookup.between(TOPIC, dict(lookup.ends(TOPIC))):
        if mark := record.first("x-weir-attempt"):
            copies[mark.decode()].append((record.partition, record.offset, record.key))
    lookup.close()
    items = rows(
        "select i.attempt_id::text, i.status, s.status, i.sent_partition, i.sent_offset, b.key, i.outcome"
        " from retry_item i join letter_state s using (dead_letter_id) join dead_letter_body b using (dead_letter_id)"
    )
    wrong = []
    for attempt, status, letter, partition, offset, key, outcome in items:
        held = copies.pop(str(attempt), [])
        stands = ItemStatus(int(str(status)))
        as_said = {ItemStatus.SENT: [(partition, offset, key)], ItemStatus.NOT_SENT: []}.get(stands, held)
        if stands not in SETTLED or letter != LETTER_OF_ITEM[stands] or held != as_said:
            wrong.append((attempt, status, letter, outcome, held, (partition, offset)))
    states = Counter(SETTLED.get(int(str(item[1])), f"status {item[1]}") for item in items)
    _say(", ".join(f"{n:,} {word}" for word, n in states.most_common()))
    ((again,),) = rows("select count(*) from retry_item where n_claims > 1")
    _say(f"{again} were claimed more than once")
    counted = rows("select status::int, sum(n)::int from failure_count group by 1 having sum(n) <> 0 order by 1")
    of_letters = rows("select status::int, count(*)::int from letter_state group by 1 order by 1")
    problems = [
        *(f"wrong: {one}" for one in wrong),
        *(f"a copy of no item: {one}" for one in copies.items()),
        *([] if len(items) == n_letters else [f"{len(items)} items of {n_letters} letters"]),
        *([] if counts_fit() else ["the counts of items do not fit"]),
        *([] if counted == of_letters else [f"the counts of letters do not fit: {counted}, {of_letters}"]),
        *(f"out of order: {one}" for one in _out_of_order()),
    ]
    _say("\n".join(problems) or "every record has one right state; the target holds none twice")
    return int(bool(problems))


def _out_of_order() -> list[tuple[object, ...]]:
    """Copies of one key that lie before an earlier one, though nothing was in doubt about them."""
    from tests.integration.letter_world import rows

    return rows(
        "select key_hash, ordinal, sent_offset from (select *, lag(sent_offset) over (partition by key_hash"
        " order by ordinal) before from retry_item where status = 2) i where before > sent_offset"
    )


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201  run by hand


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
