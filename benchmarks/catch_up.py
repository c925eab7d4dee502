"""Catching up: a spool that is full of spans, one collector and the folder, until all is stored and counted.

python -m benchmarks.catch_up [thousands of spans]     (5000 by default)
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.load.meters import measured
from benchmarks.load.parts import held_mb, part
from benchmarks.load.spool import World, world
from benchmarks.load.traces import SPANS_PER_RECORD

EVERY_SECONDS = 5.0
MOST_BEHIND_SECONDS = 2.0  # of the folder, at full load
LONGEST_SECONDS = 1_200.0


def main(words: Sequence[str]) -> int:
    """Print a line each five seconds, and the whole; 1 where the folder fell behind."""
    n_spans = int(words[0] if words else 5_000) * 1_000
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, world(n_spans // SPANS_PER_RECORD) as servers:
        print("seconds   spans stored  per s  folder behind s  collector MB")
        return _caught_up(Path(name), servers)


def _caught_up(folder: Path, servers: World) -> int:
    behind: list[float] = []
    with ExitStack() as stack:
        stack.enter_context(part("fold", folder, servers.environment))
        began = time.monotonic()
        collector = stack.enter_context(part("collect", folder, servers.environment))
        with measured("benchmark") as reading:
            before, said_at = 0, began
            while (stored := servers.n_stored()) < servers.n_records:
                if time.monotonic() - began > LONGEST_SECONDS:
                    raise TimeoutError(f"{stored} of {servers.n_records} records were stored.")
                time.sleep(EVERY_SECONDS / 50)
                behind.append(_behind())
                if (now := time.monotonic()) - said_at < EVERY_SECONDS:
                    continue
                pace = (stored - before) * SPANS_PER_RECORD / (now - said_at)
                print(
                    f"{now - began:7.0f}{stored * SPANS_PER_RECORD:15,}{pace:9,.0f}{behind[-1]:12.1f}"
                    f"{held_mb(collector):14.0f}",
                    flush=True,
                )
                before, said_at = stored, now
        stored_at = time.monotonic()
        while _behind() > 0:
            time.sleep(0.05)
        counted_at = time.monotonic()
    counted = int(_one("select coalesce(sum(n_spans), 0) from batch where folded"))
    print(
        f"{servers.n_spans:,} spans stored {stored_at - began:.1f} s after the collector was started"
        f" ({servers.n_spans / (stored_at - began):,.0f} a second), counted {counted_at - stored_at:.1f} s later;"
        f" the folder was at most {max(behind, default=0):.1f} s behind; {reading.foreign_cores:.2f} foreign cores"
    )
    if counted != servers.n_spans:
        print(f"MISSED: {counted:,} spans were counted")
    if max(behind, default=0) > MOST_BEHIND_SECONDS:
        print(f"MISSED: the folder was more than {MOST_BEHIND_SECONDS:.0f} s behind")
    return int(counted != servers.n_spans or max(behind, default=0) > MOST_BEHIND_SECONDS)


def _behind() -> float:
    """Seconds since the oldest batch that is stored and not counted; 0 where there is none."""
    return float(
        _one("select coalesce(extract(epoch from clock_timestamp() - min(stored_at)), 0) from batch where not folded")
    )


def _one(statement: str) -> Any:  # noqa: ANN401
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
