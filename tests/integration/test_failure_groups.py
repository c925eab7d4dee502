"""Failure groups merged, split and sorted anew: no letter is lost, ids and addresses stay."""

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from collector.domain.dead_letters import DeadLetter
from collector.domain.fingerprints import CURRENT, Fingerprint, Fingerprinting, digest_of
from collector.domain.records import Record
from collector.intake import rereading
from collector.intake.taps import TapRules
from collector.retry import grouping, notes
from collector.retry.records import Asker
from collector.retry.refusals import NotNow
from dashboard.queries.dead_letters import parked_letters
from dashboard.queries.failure_facts import failed_in
from dashboard.queries.failure_groups import failure_groups
from dashboard.queries.failure_parts import kinds, mergeable, merged, rereadings, stands_for
from tests.integration.letter_world import AT, LetterWorld, dead_record, one, rows
from tests.integration.people import audit_rows, person, signed_in

pytestmark = pytest.mark.usefixtures("clean_tables")

OLGA = Asker(7, "olga", "::1")
RULES = TapRules((), (), ())


@pytest.fixture
def world() -> LetterWorld:
    return LetterWorld()


def failing(n: int, *, method: str = "charge", said: str = "no funds", group: str = "billing") -> Record:
    """The nth letter, that failed in a method of the application, with a message."""
    dead = dead_record(n, group=group)
    stack = (dead.first("kafka_dlt-exception-stacktrace") or b"").decode()
    stack = stack.replace("Gateway.charge", f"Gateway.{method}").replace(f"card of order {n} declined", said)
    headers = tuple((h, stack.encode() if h == "kafka_dlt-exception-stacktrace" else v) for h, v in dead.headers)
    return replace(dead, headers=headers)


def groups() -> dict[str, int]:
    """Ids by title."""
    return {str(title): int(str(number)) for number, title in rows("select id, title from failure_group order by id")}


def letters_in(group: int) -> list[int]:
    """Offsets of the letters in a group, as the list shows them."""
    return sorted(row.offset for row in parked_letters(failure_group=group).items)


def work(fingerprinting: Fingerprinting = CURRENT, *, limit: int = 2) -> None:
    """Let the worker read again whatever was asked for."""
    while rereading.step(RULES, now=AT, fingerprinting=fingerprinting, limit=limit):
        pass
    counted = rows("select failure_group_id, topic_id, status, n from failure_count where n > 0 order by 1, 2, 3")
    assert counted == rows(
        "select s.failure_group_id, d.topic_id, s.status, count(*) from letter_state s"
        " join dead_letter d on d.id = s.dead_letter_id group by 1, 2, 3 order by 1, 2, 3"
    )


@pytest.fixture
def two(world: LetterWorld) -> tuple[int, int]:
    """A group of letters 0 to 2, and one of 3 and 4."""
    world.park(*[failing(n) for n in range(3)], *[failing(n, method="refund") for n in (3, 4)])
    found = groups()
    return found["CardDeclined at Gateway.charge:88"], found["CardDeclined at Gateway.refund:88"]


def test_a_merged_groups_letters_follow_and_so_do_later_ones(world: LetterWorld, two: tuple[int, int]) -> None:
    charge, refund = two
    grouping.merge(refund, OLGA, into=charge, now=AT)
    world.park(failing(5, method="refund"))
    assert letters_in(charge) == [0, 1, 2, 5]
    assert [(each.what, each.n_done, each.n_all) for each in rereadings()] == [
        (f"Moving the letters of failure group {refund} to {charge}", 0, 2)
    ]
    work()
    assert letters_in(charge) == [0, 1, 2, 3, 4, 5]
    assert letters_in(refund) == letters_in(charge), "the id that was merged means the other one"
    assert [group.id for group in failure_groups()] == [charge]
    assert rereadings() == ()
    assert audit_rows("action", "object", "reason") == [
        ("merge failure groups", f"failure group {refund}", f"into failure group {charge}")
    ]


def test_what_was_merged_is_taken_out_again_with_its_id_and_its_note(world: LetterWorld, two: tuple[int, int]) -> None:
    charge, refund = two
    notes.note(refund, OLGA, text="PAY-311", now=AT)
    grouping.merge(refund, OLGA, into=charge, now=AT)
    work()
    assert [(each.id, each.note) for each in merged(charge)] == [(refund, "PAY-311")]
    assert rows("select note, note_by from failure_group where id = %s", charge) == [("PAY-311", "olga")]
    grouping.take_out(refund, OLGA, out_of=charge, now=AT)
    world.park(failing(5, method="refund"))
    work()
    assert (letters_in(charge), letters_in(refund)) == ([0, 1, 2], [3, 4, 5])
    assert {group.id for group in failure_groups()} == {charge, refund}
    assert rows("select note from failure_group where id = %s", refund) == [("PAY-311",)]
    with pytest.raises(NotNow):
        grouping.take_out(refund, OLGA, out_of=charge, now=AT)


def test_a_merge_before_a_merge_comes_along(world: LetterWorld, two: tuple[int, int]) -> None:
    charge, refund = two
    world.park(failing(6, method="cancel"))
    cancel = groups()["CardDeclined at Gateway.cancel:88"]
    grouping.merge(refund, OLGA, into=charge, now=AT)
    grouping.merge(charge, OLGA, into=cancel, now=AT)
    work()
    assert letters_in(cancel) == [0, 1, 2, 3, 4, 6]
    assert (stands_for(refund), stands_for(charge), stands_for(cancel)) == (cancel, cancel, None)
    grouping.take_out(refund, OLGA, out_of=cancel, now=AT)
    work()
    assert (letters_in(cancel), letters_in(refund)) == ([0, 1, 2, 6], [3, 4])


def test_groups_of_two_consumers_and_groups_that_are_gone_are_not_merged(
    world: LetterWorld, two: tuple[int, int]
) -> None:
    charge, refund = two
    world.park(failing(7, group="shipping"))
    shipping = one("select id from failure_group where group_id = %s", world.shipping)
    for group, into in ((charge, charge), (charge, 999_999), (charge, shipping)):
        with pytest.raises(NotNow):
            grouping.merge(group, OLGA, into=into, now=AT)
    grouping.merge(refund, OLGA, into=charge, now=AT)
    with pytest.raises(NotNow):
        grouping.merge(charge, OLGA, into=refund, now=AT)
    assert [each.id for each in mergeable(charge)] == []
    assert [each.id for each in mergeable(shipping)] == []


def test_a_group_is_split_by_what_its_letters_say(world: LetterWorld) -> None:
    world.park(*[failing(n, said="no funds" if n % 2 else f"card {n} expired") for n in range(5)])
    ((whole,),) = rows("select id from failure_group")
    found = kinds(int(str(whole)))
    assert [(kind.said, kind.n) for kind in found.items] == [("card <n> expired", 3), ("no funds", 2)]
    made = grouping.split(int(str(whole)), OLGA, says=["no funds"], now=AT)
    world.park(failing(7, said="no funds"), failing(8, said="card 8 expired"))
    work()
    assert (letters_in(int(str(whole))), letters_in(made)) == ([0, 2, 4, 8], [1, 3, 7])
    assert groups()["CardDeclined at Gateway.charge:88: no funds"] == made
    grouping.merge(made, OLGA, into=int(str(whole)), now=AT)
    world.park(failing(9, said="no funds"))
    work()
    assert letters_in(int(str(whole))) == [0, 1, 2, 3, 4, 7, 8, 9]
    for says in ([], ["", " "]):
        with pytest.raises(NotNow):
            grouping.split(int(str(whole)), OLGA, says=says, now=AT)


def _by(version: int, *parts: str) -> Fingerprint:
    return Fingerprint(version, digest_of(parts), "", " ".join(parts))


def by_class(letter: DeadLetter, _topic: str) -> Fingerprint:
    """A coarser rule."""
    return _by(2, letter.exception_class)


def by_message(letter: DeadLetter, _topic: str) -> Fingerprint:
    """A finer rule."""
    return _by(2, letter.exception_class, letter.message)


def test_newer_rules_keep_the_ids_of_groups_and_what_was_noted(world: LetterWorld, two: tuple[int, int]) -> None:
    charge, refund = two
    notes.assign(refund, OLGA, to="tim", now=AT)
    coarser = Fingerprinting(2, by_class, before=CURRENT)
    assert rereading.step(RULES, now=AT, fingerprinting=coarser, limit=2)
    assert [(each.what, each.n_done, each.n_all) for each in rereadings()] == [
        ("Reading all letters by newer rules", 2, 5)
    ]
    work(coarser)
    assert [group.id for group in failure_groups()] == [charge]
    assert (letters_in(charge), stands_for(refund)) == ([0, 1, 2, 3, 4], charge)
    assert rows("select assignee from failure_group where id = %s", charge) == [("tim",)]
    assert not rereading.step(RULES, now=AT, fingerprinting=coarser), "once is enough"


def test_finer_rules_leave_a_groups_id_with_its_first_letters(world: LetterWorld) -> None:
    world.park(failing(0, said="no funds"), failing(1, said="expired"), failing(2, said="no funds"))
    ((whole,),) = rows("select id from failure_group")
    work(Fingerprinting(2, by_message, before=CURRENT))
    assert letters_in(int(str(whole))) == [0, 2]
    assert [letters_in(group.id) for group in failure_groups() if group.id != whole] == [[1]]


def test_pages_merge_and_lead_on(world: LetterWorld, two: tuple[int, int]) -> None:
    charge, refund = two
    olga = signed_in(person("olga", "operator"))
    page = olga.get(f"/dead-letters/groups/{refund}/parts/").content.decode()
    assert f'<option value="{charge}">' in page
    done = olga.post(f"/dead-letters/groups/{refund}/parts/", {"do": "merge", "into": str(charge)})
    assert done["Location"] == f"/dead-letters/groups/{charge}/"
    assert olga.get(f"/dead-letters/groups/{refund}/")["Location"] == f"/dead-letters/groups/{charge}/"
    assert f"Moving the letters of failure group {refund}" in olga.get("/dead-letters/").content.decode()
    again = olga.post(f"/dead-letters/groups/{charge}/parts/", {"do": "merge", "into": "nonsense"})
    assert again.status_code == 409
    work()
    taken = olga.post(f"/dead-letters/groups/{charge}/parts/", {"do": "take out", "home": str(refund)})
    assert taken["Location"] == f"/dead-letters/groups/{refund}/"
    work()
    assert (letters_in(charge), letters_in(refund)) == ([0, 1, 2], [3, 4])


def test_a_viewer_sees_what_was_merged_and_may_not_merge(two: tuple[int, int]) -> None:
    charge, refund = two
    grouping.merge(refund, OLGA, into=charge, now=AT)
    vera = signed_in(person("vera", "viewer"))
    assert f"#{refund}" in vera.get(f"/dead-letters/groups/{charge}/").content.decode()
    assert vera.get(f"/dead-letters/groups/{charge}/parts/").status_code == 403


def test_the_questions_take_one_statement_each(
    two: tuple[int, int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for ask in (stands_for, merged, mergeable, kinds):
        with django_assert_num_queries(1):
            ask(two[0])
    with django_assert_num_queries(1):
        rereadings()


def test_the_birth_certificate_names_versions_and_instances(
    world: LetterWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    world.park(*[failing(n) for n in range(4)])
    ((group,),) = rows("select id from failure_group")
    ((service,),) = rows("insert into service (name) values ('billing-svc') returning id")
    edge = one(
        "insert into edge (kind, service_id, topic_id, group_id) values (2, %s, %s, %s) returning id",
        service, world.orders, world.billing,
    )  # fmt: skip
    for version, instance, offsets, status in (
        ("2.8.0", "a", (100, 101), 2), ("2.8.0", "b", (101, 102), 2), ("2.7.3", "", (103,), 2),
        ("2.9.0", "c", (100,), 1),
    ):  # fmt: skip
        number = one(
            "insert into service_version (service_id, version, first_at, last_at) values (%s, %s, %s, %s)"
            " on conflict (service_id, version) do update set last_at = excluded.last_at returning id",
            service, version, AT, AT,
        )  # fmt: skip
        source = one("insert into source (service_version_id, instance) values (%s, %s) returning id", number, instance)
        rows(
            "insert into span (trace_id, span_id, started_at, stored_at, kafka_offset, duration_ms, source_id, name_id,"
            " edge_id, topic_id, kafka_partition, attrs_id, n_messages, kind, status, op)"
            " select gen_random_uuid(), n, %s, %s, n, 1, %s, 0, %s, %s, 0, 0, 1, 5, %s, 3 from unnest(%s::bigint[]) n"
            " returning 1",
            AT, AT, source, edge, world.orders, status, list(offsets),
        )  # fmt: skip
    with django_assert_num_queries(1):
        found = failed_in(int(str(group)))
    assert [(one_.service, one_.version, one_.n_letters, one_.n_instances) for one_ in found.items] == [
        ("billing-svc", "2.8.0", 3, 2), ("billing-svc", "2.7.3", 1, 0),
    ]  # fmt: skip
    page = signed_in(person("vera", "viewer")).get(f"/dead-letters/groups/{group}/").content.decode()
    assert "by the spans of the newest 4" in page
    assert failed_in(999_999).items == ()
