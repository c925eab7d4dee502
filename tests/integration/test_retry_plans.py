"""Plans of many: frozen without effect, confirmed once, sent in steps that stop by themselves."""

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from collector.domain.canary import CAREFUL, Progress, Sending
from collector.retry import control, drafts, outcomes
from collector.retry.destinations import NEWER, TO_ORIGIN, sorted_out
from collector.retry.plans import plan
from collector.retry.records import Asker
from collector.retry.refusals import AlreadySent, Changed, NoSuchPlan, NotAllowed, NotNow
from collector.retry.restoring import pauses_all
from collector.store.steps import progress
from dashboard.queries.retries import retries, retry
from tests.integration.letter_world import AT, dead_record, one, rows
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")

OLGA = Asker(7, "olga", "::1")
OTTO = Asker(8, "otto", "::1")


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    yield RetryWorld()
    assert counts_fit()


def frozen(letters: list[int]) -> int:
    return drafts.freeze(letters, OLGA, token="t", selection="some", now=AT).id


def confirmed(number: int, *, sending: Sending = CAREFUL, by: Asker = OLGA) -> int:
    drafts.pace(number, by, now=AT, sending=sending)
    made = drafts.draft(number, by, now=AT, looks_at_blast=True)
    return drafts.confirm(number, by, now=AT, digest=made.digest, typed=str(made.n), name="after the fix").id


def statuses() -> list[object]:
    return [status for (status,) in rows("select status from retry_item order by ordinal")]


def pass_all(world: RetryWorld, *, at: float) -> None:
    """The group commits past everything; ten seconds later that is believed."""
    rows("delete from group_now returning 1")
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{99999,99999}')"
        " returning 1",
        world.letters.orders, world.letters.billing, AT,
    )  # fmt: skip
    outcomes.settle(now=AT + timedelta(seconds=at))
    outcomes.settle(now=AT + timedelta(seconds=at + 11))


def test_a_freeze_sends_nothing_and_takes_nothing_from_others(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(3)])
    number = frozen(letters)
    assert frozen(letters) == number, "the same click"
    assert rows("select status from retry_operation") == [(6,)]
    assert rows("select status, n from failure_count") == [(0, 3)]
    assert one("select count(*) from retry_item") == 0
    world.send(number)
    assert world.sent() == []
    world.send(click(letters[0]).id)
    made = drafts.draft(number, OLGA, now=AT)
    assert (made.n, sum(made.left_out.values())) == (2, 1), "what somebody else has sent is left out"


def test_a_plan_belongs_to_one_person_and_ends_after_a_day(world: RetryWorld) -> None:
    number = frozen(world.letters.park(dead_record(1)))
    for by, at in ((OTTO, AT), (OLGA, AT + timedelta(hours=25))):
        with pytest.raises(NoSuchPlan):
            drafts.draft(number, by, now=at)
    drafts.discard(number, OLGA, now=AT)
    with pytest.raises(NoSuchPlan):
        drafts.draft(number, OLGA, now=AT)


def test_new_failures_do_not_join_a_frozen_plan(world: RetryWorld) -> None:
    number = frozen(world.letters.park(dead_record(1), dead_record(2)))
    world.letters.park(dead_record(3))
    confirmed(number)
    assert len(statuses()) == 2


def test_a_plan_is_confirmed_once_with_its_number_after_its_blast_radius_was_seen(world: RetryWorld) -> None:
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{500,0}') returning 1",
        world.letters.orders, world.letters.shipping, AT,
    )  # fmt: skip
    number = frozen(world.letters.park(dead_record(1), dead_record(2)))
    made = drafts.draft(number, OLGA, now=AT)
    assert made.must_type, "shipping did not fail and gets copies"
    said = {"digest": made.digest, "typed": "2", "name": ""}
    with pytest.raises(Changed, match="step 2"):
        drafts.confirm(number, OLGA, now=AT, **said)
    drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    with pytest.raises(Changed, match="Type 2"):
        drafts.confirm(number, OLGA, now=AT, **{**said, "typed": "3"})
    with pytest.raises(Changed, match="changed since"):
        drafts.confirm(number, OLGA, now=AT, **{**said, "digest": "0" * 32})
    assert drafts.confirm(number, OLGA, now=AT, **said).id == number
    with pytest.raises(AlreadySent, match=f"operation #{number}"):
        drafts.confirm(number, OLGA, now=AT, **said)
    assert len(statuses()) == 2
    audit = rows("select action, result from audit_entry order by id")
    assert audit == [("freeze", "done"), *[("retry", "refused")] * 3, ("retry", "done")]


def test_the_blast_radius_names_each_group_what_it_did_and_what_lies_behind(world: RetryWorld) -> None:
    for group, committed in ((world.letters.billing, "{200,0}"), (world.letters.shipping, "{102,0}")):
        rows(
            "insert into group_now (topic_id, group_id, sampled_at, committed, lag) values (%s, %s, %s, %s, 3)"
            " returning 1",
            world.letters.orders, group, AT, committed,
        )  # fmt: skip
    rows("insert into service (id, name) values (77, 'billing-svc') returning 1")
    paid = world.letters.topic("payments")
    mailer = world.letters.group("mailer")
    rows(
        "insert into edge (kind, topic_id, service_id, group_id) values (2, %s, 77, %s), (1, %s, 77, null),"
        " (2, %s, null, %s) returning 1",
        world.letters.orders, world.letters.billing, paid, paid, mailer,
    )  # fmt: skip
    number = frozen(world.letters.park(dead_record(1), dead_record(2)))
    found = drafts.draft(number, OLGA, now=AT).blast
    assert [(each.name, each.n_failed, each.n_gets, each.n_did) for each in found.readers] == [
        ("billing", 2, 2, 0), ("shipping", 0, 2, 1),
    ]  # fmt: skip
    assert found.downstream == ("payments", "mailer")
    assert "kafka_dlt-original-topic" in found.removed
    assert [(target.topic, target.n) for target in found.targets] == [("orders.created", 2)]


def test_what_is_larger_than_its_target_takes_is_told_before_the_send(world: RetryWorld) -> None:
    rows(
        'update topic set configs = configs || \'{"max.message.bytes": "1000"}\' where id = %s returning 1',
        world.letters.orders,
    )
    large = replace(dead_record(1), value=b"x" * 2_000)
    letters = world.letters.park(large, replace(dead_record(2), value=b"x" * 900))
    said = (
        "1 event is larger than this topic takes: max.message.bytes is 1,000."
        " It is not sent, unless compressed small enough."
    )
    (target,) = drafts.draft(frozen(letters), OLGA, now=AT).blast.targets
    assert target.warnings == (said,)
    of_each = [plan(letter, now=AT) for letter in letters]
    assert [said in each.warnings for each in of_each if each] == [True, False]
    rows('update topic set configs = configs || \'{"max.message.bytes": "-1e9"}\' returning 1')
    (target,) = drafts.draft(one("select max(id) from retry_operation"), OLGA, now=AT).blast.targets
    assert target.warnings == ()


def test_events_that_have_several_dead_letters_are_told(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), dead_record(2, origin_offset=101, group="shipping"), dead_record(3))
    (target,) = drafts.draft(frozen(letters), OLGA, now=AT).blast.targets
    assert target.warnings == ("Another letter of the same event goes there, too, for 1 of these.",)


def test_letters_whose_key_has_newer_processed_events_stay_behind_unless_somebody_insists(world: RetryWorld) -> None:
    for key, offset in (("order-1", 101), ("order-2", 102), ("order-3", 103), ("order-1", 150), ("order-2", 151)):
        world.saw(key, offset)
    rows(
        "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{151,0}') returning 1",
        world.letters.orders, world.letters.billing, AT,
    )  # fmt: skip
    letters = world.letters.park(*[dead_record(n) for n in (1, 2, 3)])
    number = frozen(letters)
    made = drafts.draft(number, OLGA, now=AT)
    assert made.operation.newer == (letters[0],), "order-2's newer event was not processed yet"
    assert (made.n, made.left_out) == (2, {NEWER: 1})
    assert made.operation.n_order_unknown == 0
    drafts.choose(number, OLGA, now=AT, target=None, leaves_newer_out=False)
    assert drafts.draft(number, OLGA, now=AT).n == 3


def test_newer_events_that_were_processed_since_the_freeze_are_found_at_the_confirmation(world: RetryWorld) -> None:
    for offset in (101, 150):
        world.saw("order-1", offset)
    world.reads_up_to(150)
    number = frozen(world.letters.park(dead_record(1), dead_record(2)))
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert (made.n, made.operation.newer) == (2, ())
    world.reads_up_to(151)
    with pytest.raises(Changed, match="The plan changed"):
        drafts.confirm(number, OLGA, now=AT + timedelta(minutes=2), digest=made.digest, typed="2", name="")
    made = drafts.draft(number, OLGA, now=AT)
    assert (made.n, made.left_out) == (1, {NEWER: 1})
    drafts.confirm(number, OLGA, now=AT + timedelta(minutes=2), digest=made.digest, typed="1", name="")
    assert statuses() == [0]


def test_a_newer_event_that_died_too_was_not_processed(world: RetryWorld) -> None:
    for offset in (101, 150):
        world.saw("order-1", offset)
    letters = world.letters.park(
        dead_record(1), replace(dead_record(2, origin_offset=150), key=b"order-1")
    )  # fmt: skip
    assert drafts.draft(frozen(letters), OLGA, now=AT).operation.newer == ()


def test_where_the_topic_was_not_seen_the_order_is_unknown(world: RetryWorld) -> None:
    world.saw("order-9", 140)
    made = drafts.draft(frozen(world.letters.park(dead_record(1))), OLGA, now=AT)
    assert (made.operation.n_order_unknown, made.must_type) == (1, True)


def test_the_default_is_the_failed_groups_own_retry_topic_and_the_origin_can_be_chosen(
    world: RetryWorld, settings: object
) -> None:
    settings.WEIR_EMBEDDED_KAFKA, settings.WEIR_CLUSTER_NAME = True, "demo"  # type: ignore[attr-defined]
    own = world.letters.topic("orders.created.retry.billing", role=2)
    world.broker.create("orders.created.retry.billing", n_partitions=2)
    for topic, group in (
        (own, world.letters.billing), (world.letters.orders, world.letters.billing),
        (world.letters.orders, world.letters.shipping),
    ):  # fmt: skip
        rows(
            "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0}') returning 1",
            topic, group, AT,
        )  # fmt: skip
    number = frozen(world.letters.park(dead_record(1)))
    offered = drafts.targets(number, OLGA, now=AT)
    assert [(each.value, each.topics, each.groups) for each in offered] == [
        ("", ("orders.created.retry.billing",), ("billing",)),
        (TO_ORIGIN, ("orders.created",), ("billing", "shipping")),
    ]
    drafts.choose(number, OLGA, now=AT, target=TO_ORIGIN, leaves_newer_out=True)
    assert [(each.name, each.n_failed) for each in drafts.draft(number, OLGA, now=AT).blast.readers] == [
        ("billing", 1), ("shipping", 0),
    ]  # fmt: skip
    with pytest.raises(NotAllowed):
        drafts.choose(number, OLGA, now=AT, target="orders.created.dlq", leaves_newer_out=True)
    world.send(confirmed(number))
    assert len(world.sent()) == 1


def test_who_chose_another_target_looks_at_who_gets_them_before_confirming(world: RetryWorld) -> None:
    number = frozen(world.letters.park(dead_record(1)))
    drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert drafts.choose(number, OLGA, now=AT, target=TO_ORIGIN, leaves_newer_out=True)
    made = drafts.draft(number, OLGA, now=AT)
    with pytest.raises(Changed, match="Look at step 2 first"):
        drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="1", name="")
    drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert not drafts.choose(number, OLGA, now=AT, target=TO_ORIGIN, leaves_newer_out=True)
    assert drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="1", name="").id == number


def test_the_default_is_what_an_admin_named_where_the_failed_group_alone_reads_it(world: RetryWorld) -> None:
    own = world.letters.topic("billing-again")
    world.broker.create("billing-again", n_partitions=2)
    world.letters.allow("billing-again")
    reads = "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0}') returning 1"
    rows(reads, own, world.letters.billing, AT)
    mine, others = world.letters.park(dead_record(1), dead_record(2, group="shipping"))
    number = frozen([mine, others])
    made = drafts.draft(number, OLGA, now=AT)
    assert {each.topic: each.why for each in made.blast.targets} == {
        "billing-again": "Allowed by an admin.",
        "orders.created": "Compared before each send: the origin must hold the same key and value.",
    }
    assert [each.topics for each in drafts.targets(number, OLGA, now=AT)] == [
        ("billing-again", "orders.created"), ("orders.created",), ("billing-again",),
    ]  # fmt: skip
    world.send(confirmed(number, sending=Sending()))
    assert [copy.key for copy in world.sent("billing-again")] == [b"order-1"]


def test_nobody_confirms_where_the_default_leads_elsewhere_by_now(world: RetryWorld) -> None:
    own = world.letters.topic("orders.created.retry.billing", role=2)
    world.letters.allow("orders.created.retry.billing")
    reads = "insert into group_now (topic_id, group_id, sampled_at, committed) values (%s, %s, %s, '{0}') returning 1"
    rows(reads, own, world.letters.billing, AT)
    number = frozen(world.letters.park(dead_record(1)))
    made = drafts.draft(number, OLGA, now=AT, looks_at_blast=True)
    assert [each.topic for each in made.blast.targets] == ["orders.created.retry.billing"]
    rows(reads, own, world.letters.shipping, AT)
    with pytest.raises(Changed, match="The plan changed"):
        drafts.confirm(number, OLGA, now=AT, digest=made.digest, typed="1", name="")
    assert statuses() == []


def test_steps_wait_for_their_outcomes_and_ask_after_the_first(world: RetryWorld) -> None:
    for n in range(10, 40):
        world.original(n)
    number = confirmed(frozen(world.letters.park(*[dead_record(n) for n in range(40)])))
    world.send(number)
    world.send(number)
    assert len(world.sent()) == 1
    pass_all(world, at=1)
    world.send(number)
    assert len(world.sent()) == 1, "the person is asked first"
    control.proceed(number, OLGA, now=AT)
    world.send(number)
    assert len(world.sent()) == 6
    pass_all(world, at=20)
    world.send(number)
    assert len(world.sent()) == 26
    pass_all(world, at=40)
    world.send(number)
    assert len(world.sent()) == 40
    pass_all(world, at=60)
    assert rows("select status from retry_operation") == [(2,)]
    said = [what for (what,) in rows("select what from retry_log order by id")]
    assert said == [
        "frozen: 40 of 40", "confirmed: 40 to send", "step 1 passed", "continued", "step 2 passed", "step 3 passed",
        "done",
    ]  # fmt: skip


def test_it_stops_by_itself_when_the_first_fails_again_and_the_rest_can_be_cancelled(world: RetryWorld) -> None:
    letters = world.letters.park(*[dead_record(n) for n in range(8)])
    number = confirmed(frozen(letters))
    world.send(number)
    copy = world.sent()[0]
    attempt = (("x-weir-attempt", copy.first("x-weir-attempt")), ("x-weir-attempt-number", b"1"))
    world.letters.park(dead_record(0, marks=attempt, origin_offset=copy.offset), *[dead_record(100)])
    world.letters.park(replace(dead_record(0, marks=attempt, origin_offset=copy.offset), offset=200))
    outcomes.settle(now=AT + timedelta(seconds=2))
    ((status, reason),) = rows("select status, reason from retry_operation")
    assert (status, reason) == (3, "Stopped: 1 of 1 failed again with CardDeclined (same fingerprint).")
    world.send(number)
    assert len(world.sent()) == 1
    assert control.cancel(number, OLGA, now=AT) == 7
    assert statuses() == [6, *[8] * 7]
    stand = "select status, attempt from letter_state where dead_letter_id = any(%s) order by dead_letter_id"
    assert rows(stand, letters) == [(0, 2), *[(0, 1)] * 7]
    assert rows("select status, sum(n)::int from failure_count group by 1 having sum(n) <> 0") == [(0, 9)]
    assert [action for (action,) in rows("select action from audit_entry order by id")] == [
        "freeze", "retry", "stop retry", "cancel retry",
    ]  # fmt: skip


def test_a_person_may_continue_after_a_stop_and_the_next_failure_stops_again(world: RetryWorld) -> None:
    sending = replace(CAREFUL, steps=(1, 2), asks_after_first=False)
    number = confirmed(frozen(world.letters.park(*[dead_record(n) for n in range(6)])), sending=sending)
    world.send(number)
    rows("update retry_item set status = 6, ended_at = %s where status = 2 returning 1", AT)
    outcomes.settle(now=AT)
    assert rows("select status from retry_operation") == [(3,)]
    control.proceed(number, OLGA, now=AT)
    outcomes.settle(now=AT)
    world.send(number)
    assert len(world.sent()) == 3


@pytest.mark.parametrize("answered", [(0, 1), ()])
def test_failures_that_a_person_saw_and_that_answered_after_all_forgive_no_others(
    world: RetryWorld, answered: tuple[int, ...]
) -> None:
    sending = replace(CAREFUL, steps=(2, 2, 1), asks_after_first=False, wait_seconds=120)
    number = confirmed(frozen(world.letters.park(*[dead_record(n) for n in range(6)])), sending=sending)
    world.send(number)
    silent = AT + timedelta(seconds=121)
    outcomes.settle(now=silent)
    assert rows("select status from retry_operation") == [(3,)]
    control.proceed(number, OLGA, now=silent)
    outcomes.settle(now=silent)
    world.send(number, after_seconds=121)
    assert len(world.sent()) == 4
    ended = "update retry_item set status = %s, ended_at = %s where ordinal = any(%s) returning 1"
    rows(ended, 4, silent, list(answered))
    outcomes.settle(now=silent)
    assert rows("select status from retry_operation") == [(1,)]
    rows(ended, 4, silent, [0, 1])
    rows(ended, 6, silent, [2, 3])
    outcomes.settle(now=silent)
    assert rows("select status from retry_operation") == [(3,)]


def test_pausing_holds_everything_that_is_not_sent_and_resuming_goes_on(world: RetryWorld) -> None:
    number = confirmed(frozen(world.letters.park(*[dead_record(n) for n in range(3)])), sending=Sending())
    control.pause(number, OLGA, now=AT)
    world.send(number)
    assert world.sent() == []
    with pytest.raises(NotNow):
        control.pause(number, OLGA, now=AT)
    control.resume(number, OLGA, now=AT)
    world.send(number)
    assert len(world.sent()) == 3
    with pytest.raises(NotNow):
        control.proceed(number, OLGA, now=AT)


_SAME = (
    "insert into database_identity (system_identifier, timeline, items, database)"
    " select (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id,"
    " 'retry_item'::regclass::oid::bigint, oid::bigint from pg_database where datname = current_database() returning 1"
)


@pytest.mark.parametrize("moved", ["system_identifier", "timeline", "items", "database"])
def test_s47_in_a_restored_database_nothing_is_sent_before_somebody_resumes(world: RetryWorld, moved: str) -> None:
    number = confirmed(frozen(world.letters.park(dead_record(1), dead_record(2))), sending=Sending(rate_per_second=5))
    rows(_SAME)
    assert not pauses_all(now=AT)
    rows(f"update database_identity set {moved} = 77 returning 1")
    world.send(number)
    world.send(number)
    assert world.sent() == []
    ((status, reason),) = rows("select status, reason from retry_operation")
    assert status == 5
    assert "restored" in str(reason)
    control.resume(number, OLGA, now=AT)
    world.send(number)
    assert len(world.sent()) == 2


@pytest.mark.parametrize("ended", [6, 8])  # it failed again; a person took it back to the open ones
def test_the_next_of_a_key_waits_for_the_outcome_of_the_one_before_and_stays_when_that_failed(
    world: RetryWorld, ended: int
) -> None:
    kept = world.broker.topics["orders.created"].records[0]
    for n in range(3):
        kept[n] = replace(kept[n], key=b"order-1")
    letters = world.letters.park(*[replace(dead_record(n), key=b"order-1") for n in range(3)])
    number = confirmed(frozen(letters), sending=Sending(one_per_key=True, stop_percent=100))
    world.send(number)
    assert statuses() == [2, 0, 0]
    pass_all(world, at=1)
    world.send(number)
    assert statuses() == [5, 2, 0]
    rows("update retry_item set status = %s where status = 2 returning 1", ended)
    world.send(number)
    assert statuses() == [5, ended, 7]
    assert rows("select outcome from retry_item where status = 7") == [
        ("An earlier event of its key did not get through.",)
    ]


class Waits(threading.Event):
    """Notes how long somebody would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0)
        return False


def test_a_worker_goes_on_at_the_rate_of_the_one_before(world: RetryWorld) -> None:
    """One of a key is sent by each dispatch: it must not be the first of its own time."""
    kept = world.broker.topics["orders.created"].records[0]
    for n in range(3):
        kept[n] = replace(kept[n], key=b"order-1")
    letters = world.letters.park(*[replace(dead_record(n), key=b"order-1") for n in range(3)])
    number = confirmed(frozen(letters), sending=Sending(one_per_key=True, stop_percent=100, rate_per_second=0.1))
    waits = Waits()
    world.send(number, stopping=waits)
    assert [seconds for seconds in waits.seconds if seconds] == []
    pass_all(world, at=1)
    world.send(number, stopping=waits, after_seconds=4)
    assert statuses() == [5, 2, 0]
    assert [round(seconds) for seconds in waits.seconds if seconds] == [6]
    pass_all(world, at=1)
    world.send(number, stopping=waits, after_seconds=11)
    assert [round(seconds) for seconds in waits.seconds if seconds] == [6]


def test_what_was_claimed_when_the_rest_was_cancelled_is_searched_for_and_cancelled_if_not_found(
    world: RetryWorld,
) -> None:
    number = confirmed(frozen(world.letters.park(dead_record(1), dead_record(2))), sending=Sending())
    rows(
        "update retry_item set status = 1, claimed_at = now(), search_from = '{\"0\": 110}'"
        " where ordinal = 0 returning 1"
    )
    control.cancel(number, OLGA, now=AT)
    assert statuses() == [1, 8]
    world.send(number, after_seconds=150)
    assert statuses() == [8, 8]
    assert rows("select distinct status from letter_state") == [(0,)]


def test_counts_by_step_are_those_of_the_items_whatever_happens_to_them(world: RetryWorld) -> None:
    letters = world.letters.park(*(dead_record(n) for n in range(40)))
    numbers = [
        confirmed(drafts.freeze(letters[at::4], OLGA, token=f"t{at}", selection="some", now=AT).id, sending=sending)
        for at, sending in enumerate([CAREFUL, Sending(), Sending(steps=(2, 3, 100)), Sending(steps=(10,))])
    ]
    assert [n for (n,) in rows("select count(distinct step) from retry_item group by operation_id order by 1")] == [
        1, 1, 3, 3,
    ]  # fmt: skip
    dice = random.Random(20261128)
    for _ in range(150):
        some = dice.sample(range(40), dice.randint(1, 15))
        change = dice.choice(
            [
                "update retry_item set status = %(status)s where dead_letter_id = any(%(letters)s) returning 1",
                "update retry_item set sent_at = now() where dead_letter_id = any(%(letters)s) returning 1",
                "update retry_item set status = %(status)s, sent_at = null where operation_id = %(of)s returning 1",
                "update retry_item set outcome = 'x' returning 1",
                "delete from retry_item where dead_letter_id = any(%(letters)s) and operation_id = %(of)s returning 1",
            ]
        )
        with connection.cursor() as cursor:
            cursor.execute(
                change,
                {"letters": [letters[at] for at in some], "status": dice.randint(4, 8), "of": dice.choice(numbers)},
            )
        assert counts_fit(), change
    for number, n in rows("select operation_id, count(*)::int from retry_item group by 1"):
        found = retry(int(str(number)), now=AT)
        assert found is not None
        assert found.row.n_items == n
    assert [(row.id, row.n_items) for row in sorted(retries(now=AT), key=lambda row: row.id)] == (
        rows(
            "select o.id, count(i.ordinal)::int from retry_operation o"
            " left join retry_item i on i.operation_id = o.id group by 1 order by 1"
        )
    )


def test_what_is_waited_for_what_is_silent_and_what_was_sent_is_told_by_step(world: RetryWorld) -> None:
    number = confirmed(frozen(world.letters.park(*(dead_record(n) for n in range(8)))), sending=Sending(steps=(2, 3)))
    rows("update retry_item set status = 2, sent_at = %s where ordinal < 2 returning 1", AT - timedelta(seconds=121))
    rows("update retry_item set status = 2, sent_at = %s where ordinal in (2, 3) returning 1", AT)
    rows("update retry_item set status = 6, sent_at = %s where ordinal = 4 returning 1", AT)
    found = retry(number, now=AT)
    assert found is not None
    told = [(step.n, step.n_sent, step.n_open, step.n_silent, step.n_failed_again, step.stand) for step in found.steps]
    assert told == [(2, 2, 0, 2, 0, "passed"), (3, 3, 2, 0, 1, "not_begun"), (3, 0, 0, 0, 0, "not_begun")]
    assert found.steps[1].waits_until == AT + timedelta(seconds=120)
    assert (found.row.n_open, found.row.n_silent, found.row.n_sent, found.row.n_requested) == (2, 2, 5, 3)
    with connection.cursor() as cursor:
        counted = progress(cursor, number, 3, now=AT, wait_seconds=120)
    assert counted == [Progress(2, 0, 0, 0, 2), Progress(3, 0, 2, 0, 1), Progress(3, 3, 0, 0, 0)]


def test_a_letter_without_a_key_is_left_out_where_the_target_is_compacted(world: RetryWorld) -> None:
    letters = world.letters.park(dead_record(1), replace(dead_record(2), key=None))
    rows('update topic set configs = \'{"cleanup.policy": "compact"}\' where id = %s returning 1', world.letters.orders)
    with connection.cursor() as cursor:
        found = sorted_out(cursor, letters, target=None)
    assert found.letters == letters[:1]
    assert found.left_out == {"It has no key, which orders.created needs: that topic is compacted.": (letters[1],)}
