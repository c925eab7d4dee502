"""Letters that are read like one before say what they say when each is read whole."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.domain import alike
from collector.domain.alike import Alike
from collector.domain.dialects.family import Family
from collector.domain.dialects.registry import FAMILIES
from collector.domain.fingerprints import fingerprint
from collector.domain.letter_forms import parked_form
from collector.domain.masking import Rules
from collector.domain.records import Headers, Record
from tests.unit.dead_letter_samples import samples

AT = datetime(2026, 11, 28, 22, 40, tzinfo=UTC)
STACK = (
    "org.springframework.kafka.listener.ListenerExecutionFailedException: Listener failed\n"
    "\tat org.springframework.kafka.listener.Container.invoke(Container.java:7)\n"
    "Caused by: shop.billing.Declined: {words}\n\tat shop.billing.Gateway.charge(Gateway.java:88)\n\t... 3 more\n"
)
REMEMBERING = Alike()


def letter(
    words: str = "no",
    *,
    stack: str = STACK,
    offset: int = 7,
    topic: str = "orders.created.dlq",
    group: str = "billing",
    said: str = "Listener failed; {words}",
    more: Headers = (),
) -> Record:
    headers: Headers = (
        ("order-id", b"o-1"),
        ("kafka_dlt-original-topic", b"orders.created"),
        ("kafka_dlt-original-partition", struct.pack(">i", 3)),
        ("kafka_dlt-original-offset", struct.pack(">q", offset)),
        ("kafka_dlt-original-consumer-group", group.encode()),
        ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
        ("kafka_dlt-exception-message", said.replace("{words}", words).encode()),
        ("kafka_dlt-exception-stacktrace", stack.replace("{words}", words).encode()),
        *more,
    )
    return Record(topic, 0, 1, AT, 1, b"k", b"v", headers)


def said_by(family: Family, *more: tuple[str, bytes]) -> Record:
    """A letter with the headers that `family` tells things by, and more behind them."""
    names = dict.fromkeys((*family.marks, *family.topic, *family.exception_class, *family.message))
    headers: Headers = (*((name, b"a.B") for name in names), *((name, b"a.B: no") for name in family.stack), *more)
    return Record("orders.dlq", 0, 1, AT, 1, b"k", b"v", headers)


def assert_same(record: Record, reading: Alike = REMEMBERING) -> None:
    found, whole = reading.parked(record), parked_form(record, None, Rules())
    if whole is None:
        assert found is None
        return
    assert found is not None
    assert found.letter == whole
    assert found.letter.sections == whole.sections
    assert found.fingerprint == fingerprint(whole, dead_letter_topic=record.topic)


NAMES = (
    "shop.Declined", "shop.billing.Gateway$Declined", "ListenerExecutionFailedException", "a.B", "B", "é.Ü", "",
    "Suppressed", "Caused by", 'Exception in thread "t" a.B', 'Exception in thread "t', "a.B ", " a.B", "two words",
    "Traceback (most recent call last):", "eyJabcdefgh.abcd", "Bearer", "\tat shop.A.b(A.java:1)", "a.B:",
)  # fmt: skip
WORDS = (
    "no", " no ", "", "order 17 declined", "4111 1111 1111 1111", "4111", "bearer abcdefgh12", "ba\u017fic abcdefgh12",
    "eyJabcdefgh.abcd", "https://u:p@h", "a: b", 'b" C: d', "a.B: c", "Caused by: q.R: s", "x\rCaused by: q.R: s",
    "x\x85y", "x\u2028y", "x\x00y", "x\ty", "é", "x" * 3_999, "y" * 4_000, "w" * 33_000,
    "z" * 4_001 + "4111 1111 1111 1111",    "Traceback (most recent call last):", "\u00a0",
)  # fmt: skip
CALLS = (
    None, "", "\tat shop.A.b(A.java:1)", "\tat org.apache.C.d(C.java:2)\n\tat shop.E.f(E.java:3)\n\t... 2 more", "text",
    "\tCaused by: i.J: k\n\tat shop.C.d(C.java:3)", "\tSuppressed: i.J: k",
    "\tat shop.A.b(A.java:1)\r\n\tat shop.A.c(A.java:2)",
    'Traceback (most recent call last):\n  File "shop/a.py", line 1, in f\na.B: no',
    "\tat shop.eyJabcdefgh.abcd(X.java)",
    "basic", "bearer", "4111 1111 1111 1111", "\tat a\x00.b(c)", "\n".join(["\tat a.B.c(d)"] * 2_001),
)  # fmt: skip
PYTHON, LONG = CALLS[8], CALLS[-1]
OF_THE_KEY = (("kafka_dlt-key-exception-message", b"key"), ("kafka_dlt-key-exception-fqcn", b"shop.C"))
PARTS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([": ", ":", ""]), st.sampled_from(CALLS)), min_size=1, max_size=3
)
TOPICS = st.sampled_from(["orders.dlq", "orders.created", "orders", "a__b__dlq", "x.ksql_processing_log", "b-retry-1"])
VALUES = st.sampled_from(
    [b"orders", b"orders.created", b"shop.Declined", b"a.B", b"ListenerExecutionFailedException", b"3", b"", b"no",
     b"4111 1111 1111 1111", b"\xff", struct.pack(">i", 5), struct.pack(">q", -1), b"1795450095872",
     b"not a topic!", None]
)  # fmt: skip


def stacked(parts: list[tuple[str, str, str | None]], words: list[str]) -> bytes:
    said = zip(parts, words, strict=False)
    return "\nCaused by: ".join(
        name + mark + its + ("" if calls is None else "\n" + calls) for (name, mark, calls), its in said
    ).encode()


@st.composite
def letters_alike(draw: st.DrawFn) -> list[Record]:
    """Some that differ in numbers and words alone, of any family and none."""
    family: Family = draw(st.sampled_from(FAMILIES))
    spoken = (family.marks, family.needs, family.topic, family.partition, family.offset, family.group,
              family.exception_class, family.message, family.attempts, family.failed_at, family.besides)  # fmt: skip
    names = draw(st.lists(st.sampled_from([*{name for each in spoken for name in each}, "order-id"]), max_size=8))
    kept = draw(st.lists(VALUES, min_size=len(names), max_size=len(names)))
    topic, parts = draw(TOPICS), draw(PARTS)
    found = []
    for number in range(draw(st.integers(1, 4))):
        words = draw(st.lists(st.sampled_from(WORDS), min_size=3, max_size=3))
        headers = [*zip(names, kept, strict=True)]
        if number and names and draw(st.integers(0, 3)) == 0:
            at = draw(st.integers(0, len(names) - 1))
            headers[at] = (names[at], draw(VALUES))
        raw = draw(st.sampled_from([None, b"", b"\xff"])) if draw(st.integers(0, 9)) == 9 else stacked(parts, words)
        stack = [(name, raw) for name in family.stack[:1]]
        found.append(Record(topic, 0, number, AT, draw(st.integers(0, 2)), b"k", b"v", (*headers, *stack)))
    return found


@settings(max_examples=200)
@given(letters_alike())
@example([letter("a"), letter("b")])
@example([letter(words) for words in WORDS])
@example([letter(more=(("kafka_dlt-exception-cause-fqcn", its),) * n) for n in (1, 2) for its in (b"a.B", b"c.D")])
@example([letter(more=(("kafka_dlt-original-topic", b"other"), ("kafka_dlt-original-offset", b"5"))), letter()])
@example([letter(stack="\nCaused by: ".join(["a.B: {words}"] * n)) for n in (20, 20, 21, 21)])
@example([letter(words, stack="Suppressed: {words}") for words in ("two words", "a.B: no")])
@example([letter(words, stack='Exception in thread "{words}\n\tat a.B.c()') for words in ("t", 't" a.B: no')])
@example([letter(words, stack=STACK + "Caused by: {words}") for words in ("a.B: c", "a.B: d", "a.B", "c")])
@example([letter(words, stack=f"a.B: {{words}}\n{PYTHON}") for words in ("no", "yes")])
@example([letter(words, stack=f"a.B: {{words}}\n\tCaused by: i.J: k\n{LONG}\nCaused by: c.D: d") for words in "ab"])
@example([letter(words, stack="shop.B: {words}\n\tat shop.A.b(A.java:1)\nCaused by: shop.B: it") for words in "ab"])
@example([letter(words, stack="a.B: {words}\n\tat shop.eyJabcdefgh.abcd(X.java)") for words in "ab"])
@example([letter(words, stack="a.B: {words}\n\tat java.util.X.y(X.java:1)") for words in "ab"])
@example([letter("x " * 1_992 + "4111111111111111" + rest) for rest in ("", "2", "2.5", " more")])
@example([letter(group=group) for group in ("billing", "shipping", "")])
@example([letter(said=said, stack="a.B", more=OF_THE_KEY) for said in ("not this", "", "no")])
@example([letter("no", stack="a.B: {words}"), letter("", stack="a.B: {words}"), letter("", stack="a.B: {words} ")])
def test_letters_alike_say_the_same_as_when_each_is_read_whole(records: list[Record]) -> None:
    fresh = Alike()
    for each in records:
        assert_same(each)
        assert_same(each, fresh)
        assert_same(each, fresh)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.dialect}-{family.marks[0]}")
def test_what_comes_twice_or_from_another_header_is_no_less(family: Family) -> None:
    fresh = Alike()
    for name in (*family.besides, *family.group, *family.exception_class, *family.message, *family.attempts):
        for values in ((), (b"a.B",), (b"c.D",), (b"c.D", b"7"), (b"7", b"c.D")):
            assert_same(said_by(family, *((name, value) for value in values)), fresh)


def test_a_stack_of_many_exceptions_is_not_remembered() -> None:
    reading = Alike()
    for n, expected in ((alike.MOST_EXCEPTIONS + 1, 0), (alike.MOST_EXCEPTIONS, 1)):
        assert_same(letter(stack="\nCaused by: ".join(["a.B: {words}"] * n)), reading)
        assert len(reading._forms) == expected


def test_real_dead_letters_say_the_same_a_second_time() -> None:
    for record in (*samples().values(), *samples().values()):
        assert_same(record)


def test_letters_alike_are_read_whole_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole: list[Record] = []

    def counted(record: Record, *rules: object) -> object:
        whole.append(record)
        return parked_form(record, None, Rules())

    monkeypatch.setattr(alike, "parked_form", counted)
    reading = Alike()
    found = [reading.parked(letter(f"order {n} declined", offset=n)) for n in range(5)]
    assert [each and (each.letter.message, each.letter.origin.offset) for each in found] == [
        (f"order {n} declined", n) for n in range(5)
    ]
    assert len({each.fingerprint.digest for each in found if each}) == 1
    assert len(whole) == 1
    assert reading.parked(letter("card 4111 1111 1111 1111")) is not None
    assert len(whole) == 2


def test_stacks_without_end_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "MOST_FORMED", 20_000)
    monkeypatch.setattr(alike, "MOST_PLANS", 5)
    reading = Alike()
    for number in range(200):
        assert_same(letter(stack=STACK.replace("Gateway", f"Gateway{number}")), reading)
        assert_same(letter(topic=f"orders-{number}.dlq"), reading)
        assert 0 < reading._n_formed <= 20_000
        assert len(reading._forms) <= 20_000 // len(STACK)
        assert 0 < len(reading._plans) <= 5


def test_names_of_no_length_are_not_remembered_without_end() -> None:
    reading = Alike()
    assert_same(letter(more=(("", b""),) * 10_000), reading)
    assert not reading._plans
