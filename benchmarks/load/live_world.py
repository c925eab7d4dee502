"""A web process on a filled database, and the hints that make it push."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from stack.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
N_SERVICES, N_TOPICS, N_EDGES, N_SESSIONS = 100, 100, 600, 2_000


@dataclass(frozen=True)
class Web:
    """A running web process and sessions that may open sockets."""

    port: int
    process: psutil.Process
    sessions: Sequence[str]

    def headers(self, number: int) -> str:
        """Of one page's handshake."""
        own = f"127.0.0.1:{self.port}"
        key = self.sessions[number % len(self.sessions)]
        return f"Host: {own}\r\nOrigin: http://{own}\r\nCookie: weir_{self.port}={key}"

    def cpu_seconds(self) -> float:
        """Used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Memory that it holds."""
        return float(self.process.memory_info().rss / 1e6)


def sql(text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement; its rows."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return list(cursor.fetchall()) if cursor.description else []


def filled() -> list[str]:
    """A graph of the wanted size, and the sessions of as many viewers as there may be sockets."""
    from django.contrib.auth.hashers import make_password

    from collector.store.partitions import Leaves
    from dashboard.models import Person

    now = datetime.now(UTC)
    Leaves().ensure_ahead(now)
    sql("insert into cluster (name) values ('bench')")
    sql("insert into service (name) select 'service-' || n from generate_series(1, %s) n", [N_SERVICES])
    sql(
        "insert into topic (cluster_id, name, n_partitions, first_at) select c.id, 'topic-' || n, 2, %s"
        " from cluster c, generate_series(1, %s) n where c.name = 'bench'",
        [now - timedelta(days=1), N_TOPICS],
    )
    sql(
        "insert into edge (kind, service_id, topic_id) select distinct 1 + n %% 2, s.id, t.id"
        " from generate_series(1, %s) n join service s on s.name = 'service-' || (1 + n * 7 %% %s)"
        " join topic t on t.name = 'topic-' || (1 + (n * 13 + n / 100 * 31) %% %s) limit %s",
        [3 * N_EDGES, N_SERVICES, N_TOPICS, N_EDGES],
    )
    update(0)
    people = [
        Person(name=f"viewer-{n}", role="viewer", created_at=now, password=make_password(None))
        for n in range(N_SESSIONS)
    ]
    return [_session(person, now) for person in Person.objects.bulk_create(people)]


def _session(person: Any, now: datetime) -> str:  # noqa: ANN401
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from dashboard import sessions

    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(person.pk), person.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "dashboard.signin.Passwords"
    sessions.begin(session, now=now)
    session.save()
    return str(session.session_key)


def update(number: int) -> None:
    """Every edge counted something, and the pages are told: one update."""
    now = datetime.now(UTC)
    bucket = datetime.fromtimestamp(now.timestamp() // 10 * 10, UTC)
    sql(
        "insert into edge_10s as r (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence)"
        " select %s, id, 1 + (random() * 20)::int, 0, 1, 1, 1 from edge where id > 0 order by id"
        " on conflict (bucket_at, edge_id) do update set n = r.n + excluded.n",
        [bucket - timedelta(seconds=10)],
    )
    sql("update fold_state set seq = seq + 1, as_of = %s, ran_at = %s", [now, now])
    sql("select pg_notify('weir', %s)", [f"topology {number}"])


@contextmanager
def web(folder: Path, sessions: Sequence[str]) -> Iterator[Web]:
    """`manage.py web` on the database, until the end of the block."""
    port, ready = free_port(), folder / "ready"
    variables = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "SECRET_KEY": os.environ["SECRET_KEY"],
        "WEIR_DATA_DIR": str(folder),
        "WEIR_HTTP_PORT": str(port),
        "WEIR_READY_FILE": str(ready),
    }
    process = subprocess.Popen([sys.executable, "manage.py", "web"], cwd=ROOT, env=variables)
    try:
        until = time.monotonic() + 90
        while not (ready.exists() and ready.read_text().strip() == str(process.pid)):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("The web process did not start.")
            time.sleep(0.1)
        yield Web(port, psutil.Process(process.pid), sessions)
    finally:
        process.terminate()
        process.wait(20)
