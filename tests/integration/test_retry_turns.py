"""Operations take turns, on real tables: few at once, nobody starves, and the next event of each key is found."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction

from collector.domain.canary import Sending
from collector.retry.requests import retry
from collector.store import retries, retry_turns
from tests.integration.letter_world import AT, LetterWorld, dead_record, rows
from tests.integration.retry_world import RetryWorld, click

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> RetryWorld:
    return RetryWorld()


@contextmanager
def elsewhere(act: Callable[[threading.Event], None]) -> Iterator[None]:
    """Another worker does this beside, until the block ends; it says when it is at it."""
    is_there, leave = threading.Event(), threading.Event()

    class Both(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            is_there.set()
            return leave.wait(timeout)

    def run() -> None:
        try:
            act(Both())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert is_there.wait(30)
        yield
    finally:
        leave.set()
        thread.join()


def its_turn(operation: int) -> Callable[[threading.Event], None]:
    def hold(leave: threading.Event) -> None:
        found = retry_turns.unfinished_one(operation)
        assert found is not None
        with retry_turns.turn(found) as held:
            assert held
            assert leave.wait(60)

    return hold


def asked(world: RetryWorld, *numbers: int, sending: Sending | None = None, key: bytes | None = None) -> int:
    """An operation of these orders."""
    kept = world.broker.topics["orders.created"].records[0]
    if key is not None:
        for n in numbers:
            kept[n] = replace(kept[n], key=key)
    before = {letter for (letter,) in rows("select id from dead_letter")}
    found = [dead_record(n) if key is None else replace(dead_record(n), key=key) for n in numbers]
    letters = sorted(set(world.letters.park(*found)) - before)
    return retry(
        letters, person_id=7, person_name="operator1", token=f"t{numbers}", target=None, expect=len(numbers), now=AT,
        sending=sending,
    ).id  # fmt: skip


def swept(world: RetryWorld) -> list[int]:
    """What the sweep wakes, and a worker takes on."""
    found = [each.id for each in retry_turns.unfinished()]
    for operation in found:
        world.send(operation)
    return found


def test_operations_that_wait_for_outcomes_keep_no_place_from_others(world: RetryWorld) -> None:
    careful = Sending(one_per_key=True, stop_percent=100)
    waiting = [asked(world, n, n + 1, sending=careful, key=b"order-%d" % n) for n in (0, 2, 4, 6)]
    last = asked(world, 8)
    assert swept(world) == waiting[:3]
    assert swept(world) == [waiting[3], last, waiting[0]]
    assert rows("select status from retry_item where operation_id = %s", last) == [(2,)]
    assert len(world.sent()) == 5


def test_at_most_three_of_a_cluster_and_six_in_all_are_sent_at_once(world: RetryWorld) -> None:
    operations = [asked(world, n) for n in range(4)]
    letters = LetterWorld("west").park(*(dead_record(n) for n in range(4)))[4:]
    operations += [click(letter, token=f"west {letter}").id for letter in letters]
    last = click(LetterWorld("south").park(dead_record(9))[-1], token="south").id
    with (
        elsewhere(its_turn(operations[0])),
        elsewhere(its_turn(operations[1])),
        elsewhere(its_turn(operations[4])),
        elsewhere(its_turn(operations[5])),
        elsewhere(its_turn(operations[6])),
    ):
        with elsewhere(its_turn(operations[2])):
            assert [each.id for each in retry_turns.unfinished()] == [operations[3], operations[7], last]
            for found in retry_turns.unfinished():
                with retry_turns.turn(found) as held:
                    assert not held
        assert rows("select turn_at is null from retry_operation where id = %s", operations[3]) == [(True,)]
        with elsewhere(its_turn(operations[3])):
            pass
        with elsewhere(its_turn(last)):
            pass
    assert world.sent() == []


def test_who_sends_for_long_gives_way_to_who_found_no_place_and_goes_on_later(world: RetryWorld) -> None:
    long = asked(world, 0, 1, 2, sending=Sending(rate_per_second=5))
    other = asked(world, 3)
    world.send(long, turn_seconds=0)
    assert len(world.sent()) == 1
    assert [each.id for each in retry_turns.unfinished()] == [other, long]
    with elsewhere(its_turn(other)):
        world.send(long, turn_seconds=0)
    assert len(world.sent()) == 3


def test_who_could_send_nothing_sends_nobody_away(world: RetryWorld) -> None:
    careful = Sending(one_per_key=True, stop_percent=100)
    blocked = asked(world, 0, 1, sending=careful, key=b"order-0")
    world.send(blocked)
    long = asked(world, 2, 3, 4, sending=Sending(rate_per_second=5))
    world.send(long, turn_seconds=0)
    assert [each.id for each in retry_turns.unfinished()] == [blocked]
    assert len(world.sent()) == 4


_AS_DEFINED = """
select i.ordinal from retry_item i join retry_operation o on o.id = i.operation_id where i.operation_id = %s
and i.status = 0 and i.ordinal < o.released and not exists (select 1 from retry_item b
  where b.operation_id = i.operation_id and b.key_hash = i.key_hash and b.ordinal < i.ordinal and (b.status in (0, 1)
    or (o.one_per_key and b.status = 2 and b.sent_at > %s - make_interval(secs => o.wait_seconds)))) order by 1
"""


@pytest.mark.parametrize("one_per_key", [False, True])
def test_what_is_due_is_the_first_of_each_key_that_nothing_holds_back(world: RetryWorld, *, one_per_key: bool) -> None:
    operation = asked(world, *range(10), sending=Sending(one_per_key=one_per_key))
    chance = random.Random(20261128)
    seen = set()
    for _ in range(150):
        moved = chance.sample(range(10), chance.choice([1, 3, 10]))
        rows(
            "update retry_item i set key_hash = f.key, status = f.status, sent_at = case when f.status = 2 then"
            " %s::timestamptz - make_interval(secs => f.ago) end from unnest(%s::int[], %s::bigint[], %s::int[],"
            " %s::int[]) f(ordinal, key, status, ago) where i.operation_id = %s and i.ordinal = f.ordinal returning 1",
            AT,
            moved,
            [chance.choice([None, 1, 1, 1, 2, 3]) for _ in moved],
            [chance.choice([0, 0, 0, 0, 1, 2, 4, 6]) for _ in moved],
            [chance.choice([1, 600]) for _ in moved],
            operation,
        )
        rows("update retry_operation set released = %s returning 1", chance.choice([4, 8, 10]))
        wanted = [ordinal for (ordinal,) in rows(_AS_DEFINED, operation, AT)]
        assert retries.due(operation, limit=100, now=AT) == wanted
        some = retries.due(operation, limit=2, now=AT)
        assert len(some) == min(2, len(wanted))
        assert set(some) <= set(wanted)
        seen.add(len(wanted))
    assert {0, 1, 2, 3} <= seen
    assert retries.due(operation, limit=100, now=AT + timedelta(hours=1))


def test_two_that_move_events_of_one_key_at_once_leave_its_next_one_due(world: RetryWorld) -> None:
    operation = asked(world, 0, 1, 2, 3, sending=Sending(one_per_key=True, stop_percent=100), key=b"order-0")
    move = "update retry_item set status = %s, sent_at = %s where operation_id = %s and ordinal = %s returning 1"
    rows("update retry_item set step = ordinal returning 1")  # so that they do not wait for each other's counts
    rows(move, 2, AT, operation, 0)
    rows(move, 1, None, operation, 1)

    def answer() -> None:
        rows(move, 4, AT, operation, 0)
        connection.close()

    beside = threading.Thread(target=answer)
    with transaction.atomic():
        rows(move, 2, AT, operation, 1)
        beside.start()
        while not rows("select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"):
            assert beside.is_alive()
            time.sleep(0.01)
    beside.join()
    assert rows("select ordinal, waits_since from retry_head") == [(2, AT)]
    assert retries.due(operation, limit=9, now=AT) == []
    rows(move, 4, AT, operation, 1)
    assert retries.due(operation, limit=9, now=AT) == [2]


def test_what_is_due_is_found_without_walking_over_what_is_held_back(world: RetryWorld) -> None:
    """20,000 events of 10,000 keys: of 9,950 keys the first was sent and did not answer yet."""
    operation = asked(world, 0, sending=Sending(one_per_key=True, stop_percent=100))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "insert into retry_item (operation_id, ordinal, dead_letter_id, status, attempt_id, key_hash,"
            " target_topic_id, verify_origin) select %s, n, -n, 0, gen_random_uuid(), n %% 10000, %s, false"
            " from generate_series(1, 19999) n",
            [operation, world.letters.orders],
        )
        cursor.execute("update retry_operation set released = 20000")
        cursor.execute("update retry_item set status = 2, sent_at = %s where ordinal between 1 and 9950", [AT])
        cursor.execute("analyze retry_item, retry_head")
        assert retries.due(operation, limit=100, now=AT) == [0, *range(9951, 10_001)]
        cursor.execute(
            f"explain (analyze, buffers, format json) {retries._DUE}",
            {"id": operation, "unfinished": [0, 1], "limit": 100, "now": AT},
        )
        (plan,) = cursor.fetchone()
        transaction.set_rollback(True)
    found = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 1_000
