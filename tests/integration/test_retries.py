"""Retries on real tables and an in-memory Kafka: frozen once, sent once, with the outcome that was observed."""

import struct
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from collector.clock import running_seconds
from collector.domain.letter_forms import way_of
from collector.domain.positions import Position
from collector.domain.records import Record
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_lookup import MemoryLookup
from collector.kafka.memory_publisher import MemoryPublisher
from collector.ports import KafkaUnreachable, NotTaken, Outgoing, Partition
from collector.retry import drafts, outcomes, targets
from collector.retry.dispatch import FRESH_SECONDS, Sender, dispatch
from collector.retry.patience import Patience
from collector.retry.plans import plan
from collector.retry.records import Asker
from collector.retry.refusals import Changed, NotAllowed, NothingToSend, TokenReused
from collector.store import retry_hops, retry_turns
from tests.integration.letter_world import AT, LetterWorld, dead_record, one, rows
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


class Dying(Exception):
    """The worker is gone."""


class DiesAfterSending(MemoryPublisher):
    """The broker has the record, and the worker never hears of it."""

    def publish(self, record: Outgoing) -> Future[Position]:
        super().publish(record)
        raise Dying


class DiesBeforeSending(MemoryPublisher):
    """The worker dies between the claim and the send."""

    def publish(self, record: Outgoing) -> Future[Position]:
        raise Dying(record.topic)


class DiesOfAFrozenBroker(MemoryPublisher):
    """The worker dies while its record waits in the socket of a broker that stands still."""

    def publish(self, record: Outgoing) -> Future[Position]:
        self._holds = True
        super().publish(record)
        raise Dying


class RefusesTogether(MemoryPublisher):
    """What waits together goes as one batch, and the broker refuses all of it for one record that is too large."""

    def publish(self, record: Outgoing) -> Future[Position]:
        self._holds = self.n_together > 0
        future = super().publish(record)
        self.n_together -= 1
        if self.n_together == 0:
            for _, each in self._waiting:
                each.set_exception(NotTaken("refused together"))
            self._waiting = []
        return future

    n_together = 2


class ThawingBroker(MemoryLookup):
    """It answers first, and only then takes in what waited in its sockets."""

    def __init__(self, broker: MemoryBroker, waiting: MemoryPublisher) -> None:
        super().__init__(broker)
        self._waiting = waiting

    def ends(self, topic: str) -> Mapping[int, tuple[int, int]]:
        found = super().ends(topic)
        self._waiting.report()
        return found


def _states() -> list[tuple[object, ...]]:
    return rows(
        "select i.status, s.status, s.attempt from retry_item i join letter_state s using (dead_letter_id)"
        " order by i.ordinal"
    )


def _counts() -> dict[object, object]:
    return dict(
        (status, n) for status, n in rows("select status, sum(n)::int from failure_count where n <> 0 group by 1")
    )


def test_a_letter_goes_back_to_its_origin_with_its_own_bytes_and_no_stale_headers(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    world.send(asked.id)
    (copy,) = world.sent()
    original = dead_record(1)
    assert (copy.partition, copy.key, copy.value) == (0, original.key, original.value)
    assert [name for name, _ in copy.headers] == [
        "order-id", "x-weir-attempt", "x-weir-operation", "x-weir-attempt-number", "x-weir-original",
        "x-weir-sent-at", "x-weir-original-traceparent", "traceparent",
    ]  # fmt: skip
    assert copy.first("x-weir-original") == b"orders.created.dlq/0/1"
    assert rows("select status, sent_partition, sent_offset from retry_item") == [(2, 0, copy.offset)]
    assert _states() == [(2, 2, 1)]
    assert _counts() == {2: 1}
    assert rows("select person_name, action, result, facts->>'letters' from audit_entry") == [
        ("operator1", "retry", "done", "1")
    ]


def test_the_same_click_twice_is_one_operation_and_another_request_with_its_token_is_refused(world: RetryWorld) -> None:
    first, second = world.letters.park(dead_record(1), dead_record(2))
    asked = click(first)
    again = click(first)
    assert (again.id, again.repeated) == (asked.id, True)
    with pytest.raises(TokenReused, match=f"operation #{asked.id}"):
        click(second)
    assert one("select count(*) from retry_item") == 1


def test_a_letter_in_an_operation_is_not_taken_into_a_second_one(world: RetryWorld) -> None:
    first, second = world.letters.park(dead_record(1), dead_record(2))
    asked = click(first)
    with pytest.raises(NothingToSend, match=f"requested already. Operation #{asked.id}."):
        click(first, token="t2")
    click(first, second, token="t3", expect=1)
    assert rows("select operation_id, dead_letter_id from retry_item order by 1") == [
        (asked.id, first), (one("select max(id) from retry_operation"), second),
    ]  # fmt: skip
    assert rows("select result, reason from audit_entry where result = 'refused'") == [
        ("refused", f"A retry of it was requested already. Operation #{asked.id}.")
    ]


def test_two_operators_at_once_freeze_a_letter_once(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(20)])
    barrier = threading.Barrier(2)
    answers: list[object] = []

    def operator(token: str) -> None:
        barrier.wait()
        try:
            answers.append(click(*letters, token=token))
        except NothingToSend as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=operator, args=(token,)) for token in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(answer).__name__ for answer in answers) == ["NothingToSend", "Requested"]
    assert one("select count(*) from retry_item") == 20


def test_the_expected_number_must_fit(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), dead_record(2))
    with pytest.raises(Changed, match="2 can be sent, not 1"):
        click(*letters, expect=1)
    assert not click(*letters, expect=2).repeated


def test_s43_a_letter_that_died_five_times_is_not_sent(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1, marks=(("x-weir-attempt-number", b"4"),)))
    with pytest.raises(NothingToSend, match="died 5 times"):
        click(letter)


@pytest.mark.parametrize("target", ["orders.created.dlq", "__consumer_offsets", "weir.spool", "payments", "nowhere"])
def test_s40_a_target_that_is_not_the_origin_needs_an_admin(world: RetryWorld, target: str) -> None:
    for name in {"__consumer_offsets", "weir.spool", "payments"}:
        world.letters.topic(name)
    (letter,) = world.letters.park(dead_record(1))
    with pytest.raises(NotAllowed):
        click(letter, target=target)
    assert _states() == []


@pytest.mark.parametrize("how", ["other value", "other key", "nothing there"])
def test_s40_a_forged_origin_sends_nothing(world: RetryWorld, how: str) -> None:
    record = dead_record(1, origin_offset=5000) if how == "nothing there" else dead_record(1)
    changes = {"other value": {"value": b"forged"}, "other key": {"key": b"order-2"}, "nothing there": {}}[how]
    (letter,) = world.letters.park(replace(record, **changes))  # type: ignore[arg-type]
    world.send(click(letter).id)
    assert world.sent() == []
    assert _states() == [(7, 0, 1)]
    ((outcome,),) = rows("select outcome from retry_item")
    assert "not proven" in str(outcome) or "is gone" in str(outcome)


def test_an_admins_pair_allows_another_target_without_comparing(world: RetryWorld) -> None:
    world.letters.topic("payments")
    world.broker.create("payments")
    world.letters.allow("payments")
    (letter,) = world.letters.park(replace(dead_record(1), value=b"not the original"))
    world.send(click(letter, target="payments").id)
    assert [copy.value for copy in world.sent("payments")] == [b"not the original"]


@pytest.mark.parametrize("how", ["taken back", "of another topic", "a dead-letter topic by now"])
def test_s40_what_an_admin_takes_back_after_the_click_is_not_sent(world: RetryWorld, how: str) -> None:
    payments = world.letters.topic("payments")
    world.broker.create("payments")
    world.letters.allow("payments")
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter, target="payments")
    if how == "a dead-letter topic by now":
        rows("update topic set role = 1 where id = %s returning 1", payments)
    else:
        world.letters.allow(*([""] if how == "taken back" else ["payments"]), dead_letters="others.dlq")
    world.send(asked.id)
    assert world.sent("payments") == []
    assert _states() == [(7, 0, 1)]
    assert rows("select outcome from retry_item") == [("payments is not allowed for orders.created.dlq any more.",)]


def test_the_groups_own_retry_topic_is_the_default_where_only_it_reads_there(
    world: RetryWorld, settings: object
) -> None:
    settings.WEIR_EMBEDDED_KAFKA, settings.WEIR_CLUSTER_NAME = True, "demo"  # type: ignore[attr-defined]
    own = world.letters.topic("orders.created.retry.billing", role=2)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0,0}') returning 1",
        own,
        world.letters.billing,
        AT,
    )
    world.broker.create("orders.created.retry.billing", n_partitions=2)
    letter, other = world.letters.park(dead_record(1), dead_record(2, group="shipping"))
    world.send(click(letter, other).id)
    assert len(world.sent("orders.created.retry.billing")) == len(world.sent()) == 1


def test_a_worker_that_died_after_the_send_is_found_out_by_the_search_and_nothing_is_sent_twice(
    world: RetryWorld,
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesAfterSending(world.broker))
    world.send(asked.id, after_seconds=100)
    assert _states() == [(1, 1, 1)], "the claim is young: the dead worker's producer might still be sending"
    world.send(asked.id, after_seconds=150)
    assert len(world.sent()) == 1
    assert _states() == [(2, 2, 1)]
    assert rows("select sent_offset from retry_item") == [(world.sent()[0].offset,)]


def test_what_a_frozen_broker_had_in_its_socket_is_found_by_the_search(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    frozen = DiesOfAFrozenBroker(world.broker)
    with pytest.raises(Dying):
        world.send(asked.id, frozen)
    assert world.sent() == []
    world.send(asked.id, lookup=ThawingBroker(world.broker, frozen), after_seconds=150)
    assert len(world.sent()) == 1
    assert _states() == [(2, 2, 1)]


def test_a_letter_whose_stored_headers_cannot_be_read_is_left_and_the_others_are_sent(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), dead_record(2), dead_record(3))
    rows("update dead_letter_body set headers = %s where dead_letter_id = %s returning 1", b"\0\0\0\7x", letters[1])
    by = Asker(7, "operator1", "::1")
    number = drafts.freeze(letters, by, token="t", selection="all", now=AT).id
    assert drafts.draft(number, by, now=AT, looks_at_blast=True).blast.removed
    asked = click(*letters)
    world.send(asked.id)
    assert [record.key for record in world.sent()] == [b"order-1", b"order-3"]
    assert _states() == [(2, 2, 1), (7, 0, 1), (2, 2, 1)]
    assert rows("select outcome from retry_item where status = 7") == [("Its stored headers cannot be read.",)]


def test_a_claimed_letter_whose_stored_headers_broke_meanwhile_is_searched_for(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    rows("update dead_letter_body set headers = '' returning 1")
    world.send(asked.id, after_seconds=150)
    assert world.sent() == []
    assert _states() == [(7, 0, 1)]


def test_nothing_is_sent_to_another_cluster_than_the_one_it_was_asked_for(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    world.cluster = "another"
    world.send(asked.id)
    assert world.sent() == []
    assert rows("select status, outcome from retry_item") == [(7, "Its cluster demo is not observed any more.")]


def test_letters_of_two_clusters_are_no_single_retry(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    both = LetterWorld("west").park(dead_record(1))
    with pytest.raises(NotAllowed, match=r"of the clusters demo, west\. One retry sends to one"):
        click(*both)
    assert click(letter).id
    assert click(*(set(both) - {letter}), token="t2").id


def test_a_letter_whose_cluster_was_taken_out_is_not_sent(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    rows("update cluster set is_observed = false where name = 'demo' returning id")
    with pytest.raises(NothingToSend, match="Their cluster demo is not observed any more"):
        click(letter)


def test_operations_of_a_silent_cluster_leave_the_others_their_turn_and_are_not_asked_about_each_time(
    world: RetryWorld,
) -> None:
    letters = world.letters.park(*(dead_record(n) for n in range(5)))
    silent = [click(letter, token=f"demo {letter}").id for letter in letters]
    west = LetterWorld("west").park(dead_record(6))
    last = click(*(set(west) - set(letters)), token="west").id
    assert [(each.id, each.cluster) for each in retry_turns.unfinished()] == [
        (silent[0], "demo"),
        (last, "west"),
        (silent[1], "demo"),
        (silent[2], "demo"),
    ]
    asked: list[str] = []
    patience = Patience()

    def nobody(cluster: str) -> AbstractContextManager[Sender]:
        asked.append(cluster)
        raise KafkaUnreachable("nobody there")

    for operation in (*silent, last):
        dispatch(operation, nobody, now=AT, patience=patience)
    assert asked == ["demo", "west"]
    assert rows("select trouble from retry_operation where id = %s", silent[0]) == [("nobody there",)]


def test_a_claim_on_another_cluster_is_unknown_because_nobody_can_look_there(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesAfterSending(world.broker))
    world.cluster = "another"
    world.send(asked.id, after_seconds=150)
    assert rows("select status::int from retry_item") == [(3,)]
    assert len(world.sent()) == 1


GONE = "update topic set deleted_at = now() where name = 'orders.created' returning 1"


def test_what_waits_for_a_topic_that_was_made_again_is_not_sent_to_its_namesake(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    rows(GONE)
    world.send(asked.id)
    assert world.sent() == []
    assert rows("select status::int, outcome from retry_item") == [
        (7, "orders.created was deleted, or created again, since this was frozen.")
    ]


def test_a_claim_on_a_topic_that_was_made_again_is_unknown_and_not_searched_for_in_its_namesake(
    world: RetryWorld,
) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    rows(GONE)
    world.send(asked.id, after_seconds=150)
    assert world.sent() == []
    assert rows("select status::int from retry_item") == [(3,)]


def test_a_topic_that_was_made_again_before_the_next_scan_gets_nothing(world: RetryWorld) -> None:
    """The sampler has not seen it yet: its brokers say that another topic has the name."""
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    world.scan()
    world.broker.create("orders.created", n_partitions=2)
    world.original(1)
    world.send(asked.id)
    assert world.sent() == []
    assert rows("select status::int, outcome from retry_item") == [
        (7, "orders.created was deleted, or created again, since this was frozen.")
    ]


def test_a_claim_on_a_topic_that_was_made_again_before_the_next_scan_is_unknown(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesAfterSending(world.broker))
    world.broker.create("orders.created", n_partitions=2)
    for _ in range(200):  # longer than the old one was
        world.original(1)
    world.send(asked.id, after_seconds=150)
    assert world.sent() == []
    assert rows("select status::int from retry_item") == [(3,)]


class MakesTheTopicAgain(MemoryPublisher):
    """After each record somebody makes the topic again, with half of the originals in it."""

    def publish(self, record: Outgoing) -> Future[Position]:
        reported = super().publish(record)
        kept = self._broker.topics[record.topic].records[0][:5]
        self._broker.create(record.topic, n_partitions=2)
        self._broker.delete_before(Partition(record.topic, 0), 100)
        for original in kept:
            self._broker.append(original)
        return reported


def test_a_topic_that_is_made_again_amid_a_run_gets_nothing_more(
    world: RetryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lower end tells; the brokers are asked anew although their answer is young."""
    monkeypatch.setattr(targets, "ENDS_SECONDS", -1)
    kept = world.broker.topics["orders.created"].records[0]
    for n in range(2):
        kept[n] = replace(kept[n], key=b"order-1")
    asked = click(*world.letters.park(*(replace(dead_record(n), key=b"order-1") for n in range(2))))
    world.send(asked.id, MakesTheTopicAgain(world.broker))
    assert world.sent() == []
    assert rows("select status::int, outcome from retry_item order by ordinal") == [
        (2, ""), (7, "orders.created was deleted, or created again, since this was frozen."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "status", "n_sent"), [("delete", 2, 1), ("compact", 3, 0), ("compact,delete", 3, 0)]
)
def test_a_copy_that_compaction_may_have_taken_is_unknown_and_not_sent_over_a_newer_event(
    world: RetryWorld, policy: str, status: int, n_sent: int
) -> None:
    """The offset behind it is empty: on another topic that is a transaction's marker, and the letter was not sent."""
    (letter,) = world.letters.park(dead_record(1))
    rows("update topic set configs = jsonb_build_object('cleanup.policy', %s::text) where name = 'orders.created'"
         " returning 1", policy)  # fmt: skip
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    for number in range(2):
        world.broker.mark(Partition("orders.created", number))
    world.original(2)
    world.send(asked.id, after_seconds=150)
    assert rows("select status::int from retry_item") == [(status,)]
    assert len(world.sent()) == n_sent


def test_on_a_compacted_topic_without_a_gap_a_claim_that_was_not_sent_is_sent(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    rows("update topic set configs = '{\"cleanup.policy\": \"compact\"}' where name = 'orders.created' returning 1")
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    world.original(2)
    world.send(asked.id, after_seconds=150)
    assert len(world.sent()) == 1


def test_who_cannot_go_on_keeps_no_place_from_those_that_can(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(4)])
    asked = [click(letter, token=f"t{letter}").id for letter in letters]
    rows("update retry_operation set trouble = 'no right' where id = any(%s) returning 1", asked[:3])
    assert asked[3] in {each.id for each in retry_turns.unfinished()}


@pytest.mark.parametrize("kind", [MemoryPublisher, RefusesTogether])
def test_what_the_target_does_not_take_is_told_at_once_and_the_others_are_sent(
    world: RetryWorld, kind: type[MemoryPublisher]
) -> None:
    large = b"x" * 1_500_000
    kept = world.broker.topics["orders.created"].records[0]
    kept[1] = replace(kept[1], value=large)
    letters = world.letters.park(replace(dead_record(1), value=large), dead_record(2))
    world.send(click(*letters).id, kind(world.broker, most_bytes=8_000_000))
    assert [copy.key for copy in world.sent()] == [b"order-2"]
    assert rows("select status, outcome from retry_item order by ordinal") == [
        (7, "orders.created: the record is larger than the topic takes"), (2, ""),
    ]  # fmt: skip
    assert [state for state, *_ in rows("select status from letter_state order by dead_letter_id")] == [0, 2]


def test_a_worker_that_died_before_the_send_leaves_the_item_open_again(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    world.send(asked.id, after_seconds=150)
    assert len(world.sent()) == 1
    assert _states() == [(2, 2, 1)]


class StandsStill(MemoryPublisher):
    """The machine sleeps while the worker hands over its second record."""

    n, woke = 0, 0.0

    def publish(self, record: Outgoing) -> Future[Position]:
        self.n += 1
        if self.n == 2:
            self.woke += FRESH_SECONDS + 1
        return super().publish(record)


def test_who_slept_after_a_claim_sends_no_more_of_it(world: RetryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = click(*world.letters.park(*[dead_record(n) for n in range(4)]))
    publisher = StandsStill(world.broker)
    monkeypatch.setattr("collector.retry.dispatch.running_seconds", lambda: publisher.woke)
    world.send(asked.id, publisher)
    assert len(world.sent()) == 2
    assert [state[0] for state in _states()] == [2, 2, 1, 1]
    world.send(asked.id, after_seconds=150)
    assert len(world.sent()) == 4
    assert len({copy.first("x-weir-attempt") for copy in world.sent()}) == 4


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="a clock of Linux")
def test_the_time_that_the_machine_slept_counts() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= running_seconds() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_worker_whose_clock_is_ahead_takes_nobodys_claim(world: RetryWorld) -> None:
    """A record may still be on its way: the search would not find it, and it would be sent twice."""
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    on_its_way = DiesOfAFrozenBroker(world.broker)
    with pytest.raises(Dying):
        world.send(asked.id, on_its_way)
    world.send(asked.id, clock_ahead_seconds=600)
    assert rows("select status::int from retry_item") == [(1,)]
    on_its_way.report()
    world.send(asked.id, after_seconds=150)
    assert rows("select status::int from retry_item") == [(2,)]
    assert len(world.sent()) == 1


def test_what_cannot_be_read_any_more_is_unknown_and_never_sent_again(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    with pytest.raises(Dying):
        world.send(asked.id, DiesBeforeSending(world.broker))
    del world.broker.topics["orders.created"]
    world.broker.create("orders.created", n_partitions=2)
    topic = world.broker.topics["orders.created"]
    topic.low = [5000, 0]
    world.original(1)
    world.send(asked.id, after_seconds=150)
    world.send(asked.id, after_seconds=150)
    assert world.sent() == []
    assert _states() == [(3, 5, 1)]


def test_no_answer_from_kafka_leaves_everything_as_it_is(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)
    world.broker.up = False
    world.send(asked.id)
    assert _states() == [(0, 1, 1)]
    world.broker.up = True
    world.send(asked.id)
    assert len(world.sent()) == 1


def test_events_of_one_key_are_sent_in_order_and_two_of_a_key_never_at_once(world: RetryWorld) -> None:
    same = [replace(dead_record(n), key=b"order-1") for n in range(3)]
    for n, record in enumerate(same):
        world.broker.topics["orders.created"].records[0][n] = replace(
            world.broker.topics["orders.created"].records[0][n], key=record.key
        )
    letters = world.letters.park(*same)
    world.send(click(*letters).id)
    assert [copy.first("x-weir-original") for copy in world.sent()] == [
        b"orders.created.dlq/0/0", b"orders.created.dlq/0/1", b"orders.created.dlq/0/2",
    ]  # fmt: skip


def test_while_one_session_sends_an_operation_another_leaves_it_alone(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    asked = click(letter)

    def other() -> None:
        world.send(asked.id)
        connection.close()

    (found,) = retry_turns.unfinished()
    with retry_turns.turn(found) as held:
        assert held
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert world.sent() == []
    world.send(asked.id)
    assert len(world.sent()) == 1


def _sent_letter(world: RetryWorld) -> tuple[int, int]:
    """A letter that was sent: its id, and the offset of the copy."""
    (letter,) = world.letters.park(dead_record(1))
    world.send(click(letter).id)
    return letter, world.sent()[0].offset


def _span(
    world: RetryWorld, offset: int, *, status: int = 1, op: int = 3, group: int | None = None, topic: int | None = None
) -> None:
    rows("insert into service (name) values ('billing-svc') on conflict do nothing returning id")
    edge = one(
        "insert into edge (kind, service_id, topic_id, group_id) select 2, id, %s, %s from service where id > 0"
        " on conflict (kind, topic_id, service_id, group_id) do update set kind = 2 returning id",
        topic or world.letters.orders,
        group or world.letters.billing,
    )
    rows(
        "insert into span (trace_id, span_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,"
        " edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)"
        " values (gen_random_uuid(), 1, %s, %s, %s, 1, 0, 0, %s, %s, 0, 0, 1, 5, %s, %s) returning 1",
        AT, AT, offset, edge, topic or world.letters.orders, status, op,
    )  # fmt: skip


def _later(seconds: float) -> int:
    return outcomes.settle(now=AT + timedelta(seconds=seconds), looks_far=False)


def test_processed_needs_a_process_span_without_error_of_the_failed_group_and_some_seconds_without_a_death(
    world: RetryWorld,
) -> None:
    _, offset = _sent_letter(world)
    _span(world, offset, status=2)
    _span(world, offset, op=2)
    _span(world, offset, group=world.letters.shipping)
    assert _later(60) == 0
    rows("delete from span returning 1")
    _span(world, offset)
    assert _later(3) == 0
    assert _later(6) == 1
    assert rows("select status, evidence from retry_item") == [(4, 1)]
    assert _states() == [(4, 3, 1)]
    assert _counts() == {3: 1}
    assert rows("select status from retry_operation") == [(2,)]


def test_passed_needs_the_groups_offset_behind_the_position_and_more_seconds(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s) returning 1",
        world.letters.orders, world.letters.billing, AT, [offset, 0],
    )  # fmt: skip
    assert _later(30) == 0
    rows("update group_now set committed = %s returning 1", [offset + 1, 0])
    assert _later(31) == 0
    assert _later(42) == 1
    assert rows("select status, evidence from retry_item") == [(5, 2)]
    _span(world, offset)
    assert _later(50) == 1
    assert rows("select status, evidence from retry_item") == [(4, 3)]


def test_an_offset_beyond_the_end_has_passed_nothing_and_a_group_that_went_back_passes_again(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    rows("update topic_now set high = %s returning 1", [offset + 1, 0])
    _behind(world, world.letters.orders, world.letters.billing, offset + 5)
    assert _later(1) == _later(12) == 0
    _behind(world, world.letters.orders, world.letters.billing, offset)
    assert _later(13) == 0
    _behind(world, world.letters.orders, world.letters.billing, offset - 1)
    assert _later(20) == 0
    _behind(world, world.letters.orders, world.letters.billing, offset)
    assert _later(21) == _later(30) == 0
    assert _later(32) == 1
    assert rows("select status, evidence from retry_item") == [(5, 2)]


def _behind(world: RetryWorld, topic: int, group: int, offset: int) -> None:
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s)"
        " on conflict (topic_id, group_id) do update set committed = excluded.committed returning 1",
        topic, group, AT, [offset + 1, 0],
    )  # fmt: skip


def _hop(world: RetryWorld, offset: int, *, attempts: int = 2, origin: int | None = None) -> int:
    """The copy as Spring puts it on its retry topic after so many deliveries; the topic's id."""
    topic = one(
        "insert into topic (cluster_id, name, role, n_partitions, kafka_id) values (%s, 'orders.created-retry-0', 2, 1,"
        " gen_random_uuid()) on conflict do nothing returning id",
        one("select cluster_id from topic where id = %s", world.letters.orders),
    )
    rows(
        "insert into topic_now (topic_id, sampled_at, high, low) values (%s, %s, '{99999}', '{0}')"
        " on conflict do nothing returning 1",
        topic, AT,
    )  # fmt: skip
    (copy,) = (record for record in world.sent() if record.offset == offset)
    headers = (
        *copy.headers,
        ("kafka_original-topic", b"orders.created"),
        ("kafka_original-partition", struct.pack(">i", 0)),
        ("kafka_original-offset", struct.pack(">q", offset if origin is None else origin)),
        ("kafka_exception-fqcn", b"shop.billing.CardDeclined"),
        ("retry_topic-attempts", struct.pack(">i", attempts)),
    )
    record = Record("orders.created-retry-0", 0, 7, AT, 1, copy.key, copy.value, headers)
    letter = way_of(record)
    assert letter is not None
    with connection.cursor() as cursor:
        for _ in range(2):  # a batch may be read again
            retry_hops.note(cursor, [(record, topic, letter)], now=AT)
    return topic


def test_what_went_to_its_groups_retry_topic_has_not_passed_until_that_topics_reader_is_past_it_too(
    world: RetryWorld,
) -> None:
    letter, offset = _sent_letter(world)
    _behind(world, world.letters.orders, world.letters.billing, offset)
    retries_topic = _hop(world, offset)
    assert _later(1) == _later(12) == _later(30) == 0
    assert rows("select status, in_retry from retry_item") == [(2, 2)]
    _behind(world, retries_topic, world.letters.shipping, 7)
    assert _later(31) == _later(40) == 0
    assert _later(42) == 1
    assert rows("select status, evidence from retry_item") == [(5, 2)]
    assert world.letters.park(dead_record(9, origin_offset=offset)) == [letter]
    assert _later(43) == 1
    assert _states() == [(6, 0, 2)]


def test_an_offset_beyond_the_end_of_a_retry_topic_has_passed_no_copy_there(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    _behind(world, world.letters.orders, world.letters.billing, offset)
    retries_topic = _hop(world, offset)
    rows("update topic_now set high = '{8}' where topic_id = %s returning 1", retries_topic)
    _behind(world, retries_topic, world.letters.shipping, 50)
    assert _later(1) == _later(12) == _later(30) == 0
    _behind(world, retries_topic, world.letters.shipping, 7)
    assert _later(31) == 0
    _behind(world, retries_topic, world.letters.shipping, 3)
    assert _later(35) == _later(42) == 0
    _behind(world, retries_topic, world.letters.shipping, 7)
    assert _later(43) == 0
    assert _later(54) == 1
    assert rows("select status, evidence from retry_item") == [(5, 2)]


def test_a_process_span_without_error_on_the_retry_topic_says_that_it_was_processed(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    _span(world, offset, status=2)
    retries_topic = _hop(world, offset)
    _span(world, 7, topic=retries_topic, status=2)
    assert _later(30) == 0
    _span(world, 7, topic=retries_topic, group=world.letters.shipping)
    assert _later(31) == 1
    assert rows("select status, evidence from retry_item") == [(4, 1)]


def test_what_ended_in_an_error_at_the_sent_position_has_not_passed(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    _behind(world, world.letters.orders, world.letters.billing, offset)
    _span(world, offset, status=2)
    _span(world, offset, status=2, group=world.letters.shipping)
    assert _later(1) == _later(12) == _later(60) == 0
    assert rows("select status, in_retry from retry_item") == [(2, 2)]
    _span(world, offset)
    assert _later(61) == 1
    assert rows("select status from retry_item") == [(4,)]


def test_a_record_on_a_retry_topic_that_only_names_the_position_is_no_sign_of_the_copy(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    _hop(world, offset)
    rows("delete from retry_hop returning 1")
    forged = Record(
        "orders.created-retry-0", 0, 8, AT, 1, None, b"another value", (("x-original-topic", b"orders.created"),
        ("x-original-partition", b"0"), ("x-original-offset", str(offset).encode())),
    )  # fmt: skip
    letter = way_of(forged)
    assert letter is not None
    with connection.cursor() as cursor:
        retry_hops.note(cursor, [(forged, one("select max(id) from topic"), letter)], now=AT)
    assert rows("select * from retry_hop") == []


def test_a_new_death_opens_the_letter_again_even_after_it_seemed_to_have_passed(world: RetryWorld) -> None:
    letter, offset = _sent_letter(world)
    _span(world, offset)
    assert _later(6) == 1
    assert world.letters.park(dead_record(9, origin_offset=offset)) == [letter]
    assert _later(8) == 1
    assert _later(9) == 0
    assert rows("select status, outcome from retry_item") == [(6, "shop.billing.CardDeclined")]
    assert _states() == [(6, 0, 2)]
    assert _counts() == {0: 1}
    world.send(click(letter, token="second").id)
    assert world.sent()[-1].first("x-weir-attempt-number") == b"2"


@pytest.mark.parametrize(("group", "status"), [("billing", 2), ("shipping", 4)])
def test_who_died_at_the_sent_position_with_other_bytes_is_another_letter_but_nothing_succeeded_there(
    world: RetryWorld, group: str, status: int
) -> None:
    _, offset = _sent_letter(world)
    wrapped = replace(dead_record(9, origin_offset=offset, group=group), value=b'{"failed": {"amount": 12.5}}')
    assert len(world.letters.park(wrapped)) == 2
    _span(world, offset)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s) returning 1",
        world.letters.orders, world.letters.billing, AT, [offset + 1, 0],
    )  # fmt: skip
    _later(30)
    _later(60)
    assert rows("select status from retry_item") == [(status,)]


def test_what_died_where_it_was_sent_takes_no_place_from_what_passed(
    world: RetryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.store.outcomes._MOST_AT_ONCE", 1)
    _, died = _sent_letter(world)
    world.letters.park(replace(dead_record(9, origin_offset=died), value=b'{"failed": {"amount": 12.5}}'))
    *_, other = world.letters.park(dead_record(2))
    world.send(click(other, token="t2").id)
    passed = world.sent()[-1].offset
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s) returning 1",
        world.letters.orders, world.letters.billing, AT, [max(died, passed) + 1, 0],
    )  # fmt: skip
    for seconds in (30, 60, 90):
        _later(seconds)
    assert rows("select dead_letter_id, status from retry_item order by dead_letter_id = %s", other)[-1] == (
        other,
        5,
    )  # passed
    assert rows("select count(*) from retry_item where status = 2") == [(1,)]


def test_without_an_outcome_the_operation_ends_after_its_wait_and_the_letter_stays_sent(world: RetryWorld) -> None:
    _sent_letter(world)
    _later(60)
    assert rows("select status from retry_operation") == [(1,)]
    _later(130)
    assert rows("select status from retry_operation") == [(2,)]
    assert _states() == [(2, 2, 1)]


def test_an_outcome_that_comes_long_after_the_wait_is_drawn_by_the_look_at_all(world: RetryWorld) -> None:
    _, offset = _sent_letter(world)
    _later(130)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, %s) returning 1",
        world.letters.orders, world.letters.billing, AT, [offset + 1, 0],
    )  # fmt: skip
    assert _later(7_200) == _later(7_230) == 0
    outcomes.settle(now=AT + timedelta(seconds=7_260))
    assert outcomes.settle(now=AT + timedelta(seconds=7_320)) == 1
    assert _states() == [(5, 4, 1)]


def test_the_plan_says_where_a_letter_goes_why_and_who_else_gets_it(world: RetryWorld) -> None:
    (letter,) = world.letters.park(dead_record(1))
    for group in (world.letters.billing, world.letters.shipping):
        rows(
            "insert into group_now (topic_id, group_id, sampled_at, committed, lag)"
            " values (%s, %s, %s, '{0}', 3) returning 1",
            world.letters.orders,
            group,
            AT,
        )
    found = plan(letter, now=AT)
    assert found is not None
    assert (found.target, found.refusal, found.order.newer, found.must_type) == ("orders.created", None, "", True)
    assert found.why == "Compared before the send: orders.created/0/101 must hold the same key and value."
    assert [(reader.name, reader.n_failed) for reader in found.readers] == [("billing", 1), ("shipping", 0)]
    assert found.warnings == ("Groups that did not fail get it again: shipping.",)
    assert "kafka_dlt-original-topic" in found.removed_headers
    assert plan(letter, target="orders.created.dlq", now=AT).refusal is not None  # type: ignore[union-attr]
    assert plan(0, now=AT) is None
