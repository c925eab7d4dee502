"""How old the numbers are: until when spans are counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from collector.store.reports import withdraw
from dashboard.queries.freshness import freshness
from tests.integration.graph_world import World

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 7, tzinfo=UTC)


def reported(instance: str, *, ago: float, ok: bool = True, value: str = "{}") -> None:
    """What a collector last said of itself, so many seconds ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into part_report values ('collect', %s, %s, 5, %s, '', %s::jsonb) on conflict (part, instance)"
            " do update set at = excluded.at, ok = excluded.ok, value = excluded.value",
            [instance, AT - timedelta(seconds=ago), ok, value],
        )


def seen() -> tuple[float, bool]:
    """How many seconds ago the counts are of, and whether that is late."""
    found = freshness(now=AT)
    assert found.folded_at
    return (AT - found.folded_at).total_seconds(), found.fold_delayed


def test_while_no_collector_works_counts_are_of_when_one_did() -> None:
    """The folder goes on and finds nothing to count: that is not nothing that flowed."""
    World(AT)
    assert seen() == (0, False), "nothing is said of collectors"
    reported("1@here", ago=180)
    assert seen() == (180, True)
    reported("2@here", ago=90)
    assert seen() == (90, True)
    reported("3@here", ago=12)
    assert seen() == (0, False), "2.5 times its five seconds are not over"


def test_after_the_last_collector_stopped_in_order_counts_are_of_then_and_soon_late() -> None:
    World(AT)
    reported("1@here", ago=30)
    withdraw("collect", instance="1@here", now=AT - timedelta(seconds=4))
    assert seen() == (4, False)
    withdraw("collect", instance="2@here", now=AT - timedelta(seconds=3))
    assert seen() == (3, False)
    assert freshness(now=AT + timedelta(seconds=20)).fold_delayed
    reported("3@here", ago=1)
    assert seen() == (0, False), "another one works"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"waits_for": [""], "newest_stored_at": "2026-11-23T13:58:07+00:00"}', (120, True)),
        ('{"waits_for": ["prod", ""], "newest_stored_at": "2026-11-23T14:00:06+00:00"}', (1, False)),
        ('{"waits_for": ["prod"], "newest_stored_at": "2026-11-23T13:58:07+00:00"}', (0, False)),
        ('{"waits_for": [""], "newest_stored_at": null}', (0, False)),
        ("{}", (0, False)),
    ],
)
def test_a_collector_without_its_spool_counts_up_to_what_it_last_stored(value: str, expected: Any) -> None:
    World(AT)
    reported("1@here", ago=1, ok=False, value=value)
    assert seen() == expected
    reported("2@here", ago=1)
    assert seen() == (0, False), "another one works"
