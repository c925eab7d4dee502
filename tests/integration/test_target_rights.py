"""Whether Weir may write to a target is known before anybody confirms, and looked at again before the first record."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from collector.kafka.memory_rights import MemoryRights
from collector.ports import KafkaRefused, Rights
from collector.retry import drafts, rights
from collector.retry.records import Asker
from collector.retry.refusals import NotAllowed
from tests.integration.letter_world import AT, dead_record, rows
from tests.integration.people import person, signed_in
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")

OLGA = Asker(7, "olga", "::1")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


def _answered(world: RetryWorld, *, read_only: tuple[str, ...] = (), cluster: str = "demo") -> None:
    """What the worker does when a plan asks."""

    @contextmanager
    def opened(name: str) -> Iterator[Rights]:
        if name != cluster:
            raise KafkaRefused(f"The cluster {name} is not observed any more.")
        yield MemoryRights(world.broker, read_only=read_only)

    topics = [int(str(topic)) for (topic,) in rows("select topic_id from target_right")]
    rights.check(topics, opened, now=lambda: AT)


def test_a_plan_asks_and_a_target_that_may_not_be_written_to_is_not_confirmed(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), dead_record(2))
    number = drafts.freeze(letters, OLGA, token="t", selection="two", now=AT).id
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    (target,) = made.blast.targets
    assert target.right is not None
    assert (target.right.asked_at, target.right.checked_at, target.right.may_write) == (AT, None, None)
    _answered(world, read_only=("orders.created",))
    told = drafts.draft(number, OLGA, now=AT).blast.targets[0].right
    assert told is not None
    assert told.may_write is False
    refused = r"may not write to orders\.created\. Grant Write"
    with pytest.raises(NotAllowed, match=refused):
        drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="2", name="")
    with pytest.raises(NotAllowed, match=refused):
        click(*letters)
    assert rows("select count(*)::int from retry_item") == [(0,)]
    _answered(world)
    assert drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="2", name="").id == number


def test_an_old_answer_refuses_nobody_and_is_asked_for_again(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1))
    drafts.freeze(letters, OLGA, token="t", selection="one", now=AT)
    _answered(world, read_only=("orders.created",))
    later = AT + timedelta(minutes=11)
    number = drafts.freeze(letters, OLGA, token="u", selection="one", now=later).id
    assert rows("select asked_at from target_right") == [(later,)]
    made = drafts.draft(number, OLGA, now=later, looks_at_blast=True)
    drafts.confirm(number, OLGA, now=later, digest=made.digest, typed=str(made.n), name="")


def test_why_nobody_could_be_asked_is_said(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    olga = signed_in(person("olga", "operator"))
    assert "is being asked" in olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    _answered(world, cluster="another")
    page = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    assert "Nobody could ask whether Weir may write" in page
    assert "The cluster demo is not observed any more." in page
    _answered(world, read_only=("orders.created",))
    page = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    assert "Grant Write there to the user that sends its retries" in page
    assert "Send 1 event" not in page
    _answered(world)
    page = olga.get(f"/dead-letters/{letter}/retry/").content.decode()
    assert "Weir may write there, as the brokers said at" in page
    assert "Send 1 event" in page


def test_s46_without_the_right_the_worker_sends_not_even_the_first_record_and_goes_on_once_it_is_granted(
    world: RetryWorld,
) -> None:
    letters = world.letters.park(*(dead_record(n) for n in range(3)))
    asked = click(*letters)
    world.send(asked.id, read_only=("orders.created",))
    assert world.sent() == []
    assert rows("select status, claimed_at from retry_item group by 1, 2") == [(0, None)]
    ((trouble,),) = rows("select trouble from retry_operation")
    assert "may not write to orders.created" in str(trouble)
    world.send(asked.id)
    assert len(world.sent()) == 3
    assert rows("select trouble from retry_operation") == [("",)]
