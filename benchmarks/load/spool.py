"""A real Kafka with a filled spool, a real Postgres with Weir's tables, and this process as Django on them."""

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django

from benchmarks.load.traces import SPANS_PER_RECORD, copies, groups
from stack.testing import servers

ROOT = Path(__file__).resolve().parents[2]
N_PARTITIONS = 12
TABLES = (
    "span, span_link, span_error, span_detail, span_detail_kept, batch, batch_weight, seen_request, record,"
    " record_body, record_key"
)
WATCH_SECONDS = 0.05
LONGEST_SECONDS = 600.0


@dataclass(frozen=True)
class World:
    """What was started, and how many records lie in the spool."""

    n_records: int
    environment: dict[str, str]  # of a collector; what it taps is the benchmark's to say

    @property
    def n_spans(self) -> int:
        """All spans in the spool."""
        return self.n_records * SPANS_PER_RECORD

    def reset(self) -> None:
        """Nothing is stored, and the spool will be read from its start."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f"truncate {TABLES}")
            cursor.execute("delete from collector_member; delete from intake_position")

    def n_stored(self) -> int:
        """Records that are stored, by the positions."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("select coalesce(sum(next_offset), 0) from intake_position")
            return int(cursor.fetchone()[0])

    @contextmanager
    def collectors(self, number: int, *, native: bool = True) -> Iterator[None]:
        """So many collectors, as they run in production; stopped in order at the end."""
        started = [
            subprocess.Popen(
                [sys.executable, "manage.py", "collect"],
                cwd=ROOT,
                env={**self.environment, "WEIR_NATIVE": "on" if native else "off"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(number)
        ]
        try:
            yield
        finally:
            for each in started:
                each.send_signal(signal.SIGTERM)
            for each in started:
                each.wait(20)

    def wait_for(self, n_records: int) -> int:
        """Until so many records are stored; how many there are."""
        until = time.monotonic() + LONGEST_SECONDS
        while (found := self.n_stored()) < n_records:
            if time.monotonic() > until:
                raise TimeoutError(f"{found} of {n_records} records were stored.")
            time.sleep(WATCH_SECONDS)
        return found


@contextmanager
def world(n_records: int, *, store_settings: Mapping[str, str] | None = None) -> Iterator[World]:
    """Servers with a spool of so many records; all gone at the end. `store_settings`: of Postgres."""
    folder = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    folder.chmod(0o755)
    try:
        with servers(folder, kafka=True, valkey=False, store_settings=store_settings) as started:
            environment = {
                **os.environ,
                "DATABASE_URL": started.database_url,
                "WEIR_SPOOL_BOOTSTRAP": started.kafka_bootstrap or "",
                "WEIR_KAFKA_BOOTSTRAP": started.kafka_bootstrap or "",
                "SECRET_KEY": secrets.token_urlsafe(48),
                "DJANGO_SETTINGS_MODULE": "dashboard.settings",
                "WEIR_TAP": "-*",
            }
            os.environ.update(environment)
            django.setup()
            _prepare()
            _fill(n_records)
            yield World(n_records, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare() -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("alter database weir set synchronous_commit = on")  # as in production; the tests' server has off
    connection.close()


def _fill(n_records: int) -> None:
    from confluent_kafka import Producer

    from collector.wiring import SPOOL_TOPIC, make_spool_topic, spool_properties

    make_spool_topic()
    producer = Producer(
        {**spool_properties(), "compression.type": "lz4", "linger.ms": 50, "queue.buffering.max.kbytes": 262_144}
    )
    for body in copies(groups(), n_records):
        headers: list[tuple[str, str | bytes | None]] = [
            ("digest", hashlib.blake2b(body, digest_size=16).digest()),
            ("source", b""),
            ("received_at", b"2026-11-28T01:00:00+00:00"),
            ("part", b"0/1"),
        ]
        while True:
            try:
                producer.produce(SPOOL_TOPIC, value=body, headers=headers)
                break
            except BufferError:
                producer.poll(0.5)
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("Kafka did not take the records.")
