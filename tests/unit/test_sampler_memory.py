"""What the sampler remembers, and what it does not."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from collector.domain.brokers import GroupProtocol
from collector.sampling.memory import Ends, Group, Memory, Pair, room
from collector.sampling.names import forget_dead


def test_groups_that_are_gone_are_forgotten_when_nothing_they_read_is_left() -> None:
    groups = {
        name: Group(number, state, GroupProtocol.CLASSIC)
        for number, (name, state) in enumerate(
            [("here", "Stable"), ("by spans", ""), ("gone", "Dead"), ("going", "Dead")]
        )
    }
    pair = Pair((1,), None, None, 0.0, None, None, None)
    known = Memory(1, {}, groups, {}, {(7, 3): pair}, {}, None)
    forget_dead(known)
    assert set(known.groups) == {"here", "by spans", "going"}
    known.pairs.clear()
    forget_dead(known)
    assert set(known.groups) == {"here", "by spans"}


def test_what_was_written_when_moves_with_a_clock_that_is_set() -> None:
    """Else the end of a silence would have a time that is still to come, or would be none for as long."""
    at, hour = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(hours=1)
    known = Memory(
        1,
        {},
        {},
        {7: Ends((0,), (5,), (1,), at, (5,)), 8: Ends((0,), (5,), (1,), None, (5,))},
        {(7, 3): Pair((1,), at, None, 0.0, None, None, None)},
        {},
        at + timedelta(seconds=2),
    )
    known.shift(-3600)
    assert known.scanned_at == at - hour + timedelta(seconds=2)
    assert [known.ends[number].written_at for number in (7, 8)] == [at - hour, None]
    assert known.pairs[7, 3].written_at == at - hour


def test_its_process_loads_only_what_a_scan_needs() -> None:
    """What it loads it holds all day, and once more for each cluster: these take twelve megabytes."""
    said = (
        "import sys; sys.argv = ['manage.py', 'sample']\n"
        "import django; django.setup()\n"
        "import collector.management.commands.sample\n"
        "print({'celery', 'google.protobuf', 'grpc', 'opentelemetry.sdk', 'dashboard.urls'} & sys.modules.keys())\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "set()\n", done.stderr


def test_of_very_many_partitions_fewer_ends_are_remembered() -> None:
    assert [room(n) for n in (0, 50, 3_000, 5_000, 10_000, 50_000)] == [720, 720, 720, 480, 240, 240]
