"""A look into a topic reads little, fairly over partitions, and says how far it went."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo

from collector.domain import json_paths
from collector.domain.lookups import (
    MOST_BYTES,
    MOST_MATCHES,
    MOST_PARTITIONS,
    MOST_SECONDS,
    Course,
    Match,
    Question,
    Why,
    chosen,
    fairly,
)
from collector.domain.masking import MASK, Aim, Rule, Rules
from collector.domain.records import Record, size_of
from collector.kafka.memory import MemoryBroker
from collector.kafka.memory_peek import MemoryPeek
from collector.kafka.peek import KafkaPeek
from collector.lookups.reading import Found, NoSuchTopic, read
from collector.lookups.sifting import LookRules, Sieve
from collector.ports import KafkaUnreachable, NotGranted, Partition, Taken

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Topic:
    """A topic on a broker of lists, and a clock that stands still unless told otherwise."""

    def __init__(self, n_partitions: int = 1) -> None:
        self.broker = MemoryBroker()
        self.broker.create("orders", n_partitions=n_partitions)
        self.seconds = 0.0
        self.peek = MemoryPeek(self.broker)

    def write(self, partition: int, *values: bytes | None, key: bytes = b"k") -> "Topic":
        for value in values:
            at = AT + timedelta(seconds=self.broker.topics["orders"].high[partition])
            self.broker.append(Record("orders", partition, 0, at, 1, key, value, ()))
        return self

    def look(
        self, question: Question, *, rules: LookRules | None = None, clock: Callable[[], float] | None = None
    ) -> Found:
        sieve = Sieve(question, rules or LookRules(), topic="orders", holds_letters=False)
        return read(question, "orders", self.peek, sieve, clock=clock or (lambda: self.seconds))


def places(matches: Sequence[Match]) -> list[tuple[int, int]]:
    return [(match.record.partition, match.record.offset) for match in matches]


def course(found: Found, number: int) -> Course:
    return next(each for each in found.courses if each.number == number)


def test_the_newest_are_read_back_from_the_end_until_there_are_a_hundred() -> None:
    found = Topic().write(0, *(b"%d" % n for n in range(300))).look(Question())
    assert sorted(places(found.matches)) == [(0, offset) for offset in range(200, 300)]
    (only,) = found.courses
    assert (only.begin, only.end, only.n_records, only.n_matches, only.why) == (200, 300, 100, 100, Why.MATCHES)
    assert found.n_read == 100


def test_of_a_small_topic_all_is_read_and_the_beginning_is_where_it_stopped() -> None:
    found = Topic(2).write(0, b"a", b"b").write(1, b"c").look(Question())
    assert sorted(places(found.matches)) == [(0, 0), (0, 1), (1, 0)]
    assert {each.why for each in found.courses} == {Why.BEGINNING}


def test_an_empty_topic_is_read_to_its_beginning_and_one_that_is_gone_is_told() -> None:
    topic = Topic(2)
    found = topic.look(Question())
    assert (found.matches, found.n_read, {each.why for each in found.courses}) == ([], 0, {Why.BEGINNING})
    assert {each.why for each in topic.look(Question("forward")).courses} == {Why.END}
    del topic.broker.topics["orders"]
    with pytest.raises(NoSuchTopic):
        topic.look(Question())


def test_each_partition_has_its_share_of_the_newest_however_busy_another_is() -> None:
    topic = Topic(3).write(0, *[b"x" * 500] * 2_000).write(1, b"a", b"b").write(2, *[b"y"] * 2_000)
    found = topic.look(Question())
    by_partition = [sum(partition == number for partition, _ in places(found.matches)) for number in range(3)]
    assert by_partition == [49, 2, 49]
    for each in found.courses:
        assert each.n_matches == each.n_records or each.why is Why.MATCHES
        told = [offset for partition, offset in places(found.matches) if partition == each.number]
        assert sorted(told) == list(range(each.begin, each.end)), "what is told as read has no hole"


@pytest.mark.parametrize("way", ["newest", "forward"])
def test_no_more_than_a_megabyte_is_looked_at_and_each_partition_is_read_about_as_far(way: str) -> None:
    topic = Topic(4)
    for number in range(4):
        topic.write(number, *[b"x" * 10_000] * 100)
    found = topic.look(Question("newest" if way == "newest" else "forward", words="nobody wrote this"))
    assert found.n_read_bytes <= MOST_BYTES
    assert found.n_read_bytes > MOST_BYTES * 0.6
    assert {each.why for each in found.courses} == {Why.BYTES}
    covered = [each.end - each.begin for each in found.courses]
    assert max(covered) - min(covered) <= 1
    assert found.matches == []


def test_going_on_forward_from_where_it_stopped_reads_everything_once() -> None:
    topic = Topic(3)
    for number in range(3):
        topic.write(number, *[bytes([97 + n % 26]) * (1 + n * 37 % 9_000) for n in range(150 + number * 100)])
    question, seen = Question("forward"), list[tuple[int, int]]()
    for _ in range(100):
        found = topic.look(question)
        seen += places(found.matches)
        open_ones = {each.number: each.end for each in found.courses if each.why is not Why.END}
        if not open_ones:
            break
        question = Question("forward", positions=open_ones)
    assert sorted(seen) == [(number, offset) for number in range(3) for offset in range(150 + number * 100)]
    assert len(seen) == len(set(seen))


def test_going_on_backwards_from_where_it_stopped_reads_everything_once() -> None:
    topic = Topic(3)
    for number in range(3):
        topic.write(number, *[b"z" * (1 + n * 53 % 40_000) for n in range(100 + number * 60)])
    question, seen = Question(), list[tuple[int, int]]()
    for _ in range(100):
        found = topic.look(question)
        assert found.n_read_bytes <= MOST_BYTES
        seen += places(found.matches)
        open_ones = {each.number: each.begin for each in found.courses if each.why is not Why.BEGINNING}
        if not open_ones:
            break
        question = Question(positions=open_ones)
    assert sorted(seen) == [(number, offset) for number in range(3) for offset in range(100 + number * 60)]
    assert len(seen) == len(set(seen))


def test_a_filter_looks_for_words_in_key_value_or_headers() -> None:
    topic = Topic().write(0, b'{"id": 1}', b'{"id": 2}', None)
    topic.broker.append(Record("orders", 0, 0, AT, 1, b"order-7", b"{}", (("x-id", b"tenant-7"), ("no", None))))

    def found(words: str, within: str) -> list[int]:
        question = Question.of_plain({**Question(words=words).as_plain(), "within": within})
        return sorted(offset for _, offset in places(topic.look(question).matches))

    assert found('"id": 2', "value") == found('"id": 2', "any") == [1]
    assert found('"id": 2', "key") == []
    assert found("7", "key") == found("7", "headers") == found("-7", "any") == [3]
    assert found("x-id", "headers") == [3]
    assert found("k", "key") == [0, 1, 2]


def test_a_moment_before_all_that_is_kept_begins_with_the_oldest_and_one_after_it_finds_nothing() -> None:
    topic = Topic(2).write(0, *[b"a"] * 10).write(1, *[b"b"] * 3)
    topic.broker.delete_before(Partition("orders", 0), 4)
    early = topic.look(Question("forward", at=AT - timedelta(days=9)))
    assert sorted(places(early.matches)) == [*((0, n) for n in range(4, 10)), *((1, n) for n in range(3))]
    middle = topic.look(Question("forward", at=AT + timedelta(seconds=8)))
    assert sorted(places(middle.matches)) == [(0, 8), (0, 9)]
    late = topic.look(Question("forward", at=AT + timedelta(days=1)))
    assert (late.matches, [each.why for each in late.courses]) == ([], [Why.END, Why.END])


def test_no_more_are_told_than_were_asked_for() -> None:
    topic = Topic(3)
    for number in range(3):
        topic.write(number, *[b"a"] * 50)
    for way in ("newest", "forward"):
        question = Question.of_plain({**Question(most=7).as_plain(), "way": way})
        found = topic.look(question)
        assert (len(found.matches), sum(each.n_matches for each in found.courses)) == (7, 7)
        assert sum(each.end - each.begin for each in found.courses) == 7


def test_an_offset_that_is_deleted_begins_at_the_oldest_and_says_how_many_are_missing() -> None:
    topic = Topic(2).write(0, *[b"a"] * 10).write(1, b"never")
    topic.broker.delete_before(Partition("orders", 0), 4)
    found = topic.look(Question("forward", positions={0: 1}))
    assert places(found.matches) == [(0, n) for n in range(4, 10)]
    assert [(each.number, each.missing, each.why) for each in found.courses] == [(0, 3, Why.END)]
    beyond = topic.look(Question("forward", positions={0: 99}))
    assert [(each.begin, each.end, each.why) for each in beyond.courses] == [(10, 10, Why.END)]


def test_offsets_without_a_record_are_gone_through() -> None:
    topic = Topic().write(0, b"a")
    for _ in range(50):
        topic.broker.mark(Partition("orders", 0))
    assert places(topic.look(Question()).matches) == [(0, 0)]
    found = topic.look(Question("forward"))
    assert [(each.end, each.n_records, each.why) for each in found.courses] == [(51, 1, Why.END)]


def test_a_record_larger_than_all_is_looked_at_alone_and_cut() -> None:
    topic = Topic().write(0, b"a", b"x" * 3_000_000, b"b")
    found = topic.look(Question("forward", positions={0: 1}))
    (match,) = found.matches
    assert (match.record.offset, match.is_cut, match.n_value_bytes) == (1, True, 3_000_000)
    assert size_of(match.record) < 70_000
    assert [(each.end, each.why) for each in found.courses] == [(2, Why.BYTES)]
    before = topic.look(Question("forward"))
    assert (places(before.matches), course(before, 0).why) == ([(0, 0)], Why.BYTES), "not beside another one"
    back = topic.look(Question(positions={0: 2}))
    assert places(back.matches) == [(0, 1)]


def test_when_its_time_is_over_it_says_how_far_it_came() -> None:
    topic = Topic(2).write(0, *[b"a"] * 500).write(1, *[b"b"] * 500)
    ticks = iter(n * 1.0 for n in range(100))
    found = topic.look(Question("forward", words="b"), clock=lambda: next(ticks))
    assert found.n_read < 1_000
    assert Why.TIME in {each.why for each in found.courses}

    class Silent(MemoryPeek):
        """A broker that tells its ends and then brings nothing."""

        def take(self, wait: float) -> Taken:
            topic.seconds += wait
            return Taken((), frozenset())

    topic.peek = Silent(topic.broker)
    nothing = topic.look(Question())
    assert topic.seconds == pytest.approx(MOST_SECONDS)
    assert (nothing.n_read, {each.why for each in nothing.courses}) == (0, {Why.TIME})


def test_what_kafka_does_not_let_us_read_is_told_with_what_to_grant() -> None:
    topic = Topic().write(0, b"a")
    topic.broker.forbidden.add("orders")
    with pytest.raises(NotGranted, match=r"read orders\. Grant Describe and Read there"):
        topic.look(Question())
    topic.broker.up = False
    with pytest.raises(KafkaUnreachable):
        topic.look(Question())


def test_a_topic_deleted_while_it_is_read_ends_there() -> None:
    topic = Topic().write(0, *[b"a"] * 40)

    class Vanishing(MemoryPeek):
        def take(self, wait: float) -> Taken:
            taken = super().take(wait)
            topic.broker.topics.pop("orders", None)
            return taken

    topic.peek = Vanishing(topic.broker)
    found = topic.look(Question("forward"))
    assert (len(found.matches), course(found, 0).why) == (16, Why.GONE)


def test_of_very_many_partitions_the_first_are_read_or_the_one_that_is_named() -> None:
    many = list(range(1_000))
    assert chosen(Question(), many) == many[:MOST_PARTITIONS]
    assert chosen(Question(partition=777), many) == [777]
    assert chosen(Question(positions={5: 1, 2_000: 1}), many) == [5]
    topic = Topic(300)
    for number in range(300):
        topic.write(number, b"a", b"b")
    found = topic.look(Question("forward"))
    assert (len(found.courses), found.n_partitions, len(found.matches)) == (MOST_PARTITIONS, 300, MOST_MATCHES)


def test_nothing_is_found_by_what_is_masked_and_nothing_dropped_is_kept() -> None:
    value = b'{"card": "4111-1111", "mail": "ada@example.org", "note": "paid"}'
    rules = LookRules(
        drops=_rules("$.card"),
        hidden=_rules("$.mail"),
        alias_secret=b"s" * 32,
    )
    topic = Topic().write(0, value)
    (match,) = topic.look(Question(words="paid"), rules=rules).matches
    assert b"4111" not in (match.record.value or b"")
    assert b"ada@example.org" in (match.record.value or b""), "masked when it is shown"
    for words in ("ada@", "4111"):
        assert topic.look(Question(words=words), rules=rules).matches == []
    assert len(topic.look(Question(words=MASK), rules=rules).matches) == 1
    topic.write(0, b"no JSON 4111-1111")
    withheld = next(match for match in topic.look(Question(), rules=rules).matches if match.record.offset == 1)
    assert (withheld.record.value, withheld.is_withheld, withheld.n_value_bytes) == (None, True, 17)


def _rules(path: str) -> Rules:
    return Rules((Rule(("orders",), Aim(paths=(json_paths.parse(path),))),))


def test_matches_are_shared_out_so_that_none_has_many_before_each_has_some() -> None:
    matches = [Match(Record("t", 0, 0, None, 0, None, None, ()), 1, 1)] * 50
    assert fairly({0: matches, 1: matches[:3], 2: matches}, 20) == {0: 9, 1: 3, 2: 8}
    assert fairly({0: matches[:2], 1: []}, 20) == {0: 2, 1: 0}


@pytest.mark.parametrize("n_small", [1, 40])
def test_little_of_what_is_read_back_is_thrown_away_where_small_records_stand_before_large_ones(n_small: int) -> None:
    values = ([b"x" * 30_000, *[b"y" * 50] * n_small]) * 100
    found = Topic().write(0, *values).look(Question(words="nobody wrote this"))
    (only,) = found.courses
    assert (only.why, found.n_read_bytes <= MOST_BYTES) == (Why.BYTES, True)
    assert only.n_bytes > MOST_BYTES * 0.6
    newest = Topic().write(0, *values).look(Question()).courses[0]
    assert newest.n_matches == newest.n_records >= min(40, MOST_MATCHES)


def test_a_stretch_that_was_too_long_is_tried_again_shorter() -> None:
    found = Topic().write(0, *[b"x" * 10_000] * 200, *[b"y"] * 500).look(Question(words="nobody wrote this"))
    (only,) = found.courses
    assert only.why is Why.BYTES
    assert only.n_records > 400, "much more than before the first stretch that was too long"


def test_what_is_told_as_scanned_lies_where_it_is_told_as_read() -> None:
    topic = Topic(2).write(0, *[b"paid"] * 2_000).write(1, *[b"paid"] * 20)
    found = topic.look(Question(words="paid"))
    assert len(found.matches) == MOST_MATCHES
    for each in found.courses:
        assert each.n_records == each.n_matches == each.end - each.begin
        assert each.n_bytes == each.n_records * 5
    assert found.n_read > MOST_MATCHES, "what was looked at in all is told, too"


def test_the_clock_is_looked_at_before_each_record() -> None:
    topic = Topic().write(0, *[b"a"] * 16)

    def slow(record: Record) -> Match:
        topic.seconds += 1
        return Match(record, 2, 1)

    found = read(Question("forward"), "orders", topic.peek, slow, clock=lambda: topic.seconds)
    assert (found.n_read, course(found, 0).end, course(found, 0).why) == (MOST_SECONDS, MOST_SECONDS, Why.TIME)


def test_a_partition_that_does_not_say_where_a_moment_is_is_not_told_as_read() -> None:
    topic = Topic(3).write(0, b"a").write(1, *[b"b"] * 3)

    class Leaderless(MemoryPeek):
        def since(self, topic: str, numbers: Collection[int], at: datetime) -> Mapping[int, int | None]:
            return super().since(topic, set(numbers) - {1}, at)

    topic.peek = Leaderless(topic.broker)
    found = topic.look(Question("forward", at=AT))
    assert [(each.number, each.n_records, each.why) for each in found.courses] == [(0, 1, Why.END), (2, 0, Why.END)]
    assert found.n_partitions == 3


def test_kafka_that_has_no_such_record_is_told_from_kafka_that_did_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(place: TopicPartition) -> Future[ListOffsetsResultInfo]:
        told = Future[ListOffsetsResultInfo]()
        if place.partition == 1:
            told.set_exception(KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)))
        else:
            told.set_result(ListOffsetsResultInfo(7 if place.partition == 0 else -1, -1, -1))
        return told

    def list_offsets(_: AdminClient, asked: Iterable[TopicPartition], **__: object) -> dict[TopicPartition, object]:
        return {place: answer(place) for place in asked}

    monkeypatch.setattr(AdminClient, "list_offsets", list_offsets)
    peek = KafkaPeek({"bootstrap.servers": "127.0.0.1:1"})
    assert peek.since("orders", [0, 1, 2], AT) == {0: 7, 2: None}
    with pytest.raises(KafkaUnreachable):
        peek.since("orders", [1], AT)
    peek.close()
