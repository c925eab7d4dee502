"""Fingerprints: what belongs together stays together over releases, and what differs does not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.fingerprints import fingerprint, normalised
from collector.domain.stacks import sections
from collector.domain.texts import pieces

JAVA = """\
org.springframework.Wrapped: outer
\tat org.springframework.kafka.Listener.run(Listener.java:5)
Caused by: shop.billing.CardDeclined: card of order-{n} declined
\tat app//shop.billing.Gateway.charge(Gateway.java:{line})
\tat shop.billing.Billing.lambda$pay${lambda_}(Billing.java:31)
\tat shop.billing.Billing$$SpringCGLIB$$0.pay(<generated>)
\tat java.base/java.lang.reflect.Method.invoke(Method.java:569)
\t... 6 more
"""
PYTHON = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/confluent_kafka/loop.py", line 40, in run
    handle(record)
  File "/app/billing/gateway.py", line {line}, in charge
    raise CardDeclined(order)
KeyError: 'card'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/billing/main.py", line 12, in handle
    charge(order)
  File "/app/billing/gateway.py", line 90, in charge
    raise CardDeclined(order) from None
billing.errors.CardDeclined: order 7 declined
"""


def _letter(
    *, cls: str = "shop.billing.CardDeclined", stack: str = "", message: str = "", group: str = "billing"
) -> DeadLetter:
    return DeadLetter("spring", Place("orders", 0, 1), Place("orders", 0, 1), group, cls, message, stack, None, None)


def _java(n: int = 1, line: int = 88, lambda_: int = 0) -> str:
    return JAVA.format(n=n, line=line, lambda_=lambda_)


def _digest(letter: DeadLetter, topic: str = "orders.dlq") -> object:
    return fingerprint(letter, dead_letter_topic=topic).digest


def test_lines_lambdas_and_event_ids_do_not_part_a_group() -> None:
    one, other = _letter(stack=_java(1, 88, 0), message="a 1"), _letter(stack=_java(2, 91, 4), message="b 2")
    assert _digest(one) == _digest(other)
    assert _digest(one, "orders.dlq") == _digest(other, "elsewhere.dlq")


def test_group_topic_class_and_frames_part_groups() -> None:
    letters = [
        _letter(stack=_java()),
        _letter(stack=_java(), group="shipping"),
        _letter(stack=_java(), cls="shop.billing.Other"),
        _letter(stack=_java().replace("Gateway.charge", "Gateway.refund")),
    ]
    assert len({_digest(letter) for letter in letters}) == 4


def test_the_title_names_class_and_the_innermost_own_line() -> None:
    assert fingerprint(_letter(stack=_java()), dead_letter_topic="d").title == "CardDeclined at Gateway.charge:88"


def test_a_python_traceback_is_read_from_its_last_exception() -> None:
    letter = _letter(cls="CardDeclined", stack=PYTHON.format(line=88))
    assert fingerprint(letter, dead_letter_topic="d").title == "CardDeclined at gateway.charge:90"
    assert _digest(letter) == _digest(_letter(cls="CardDeclined", stack=PYTHON.format(line=3)))


def test_without_own_frames_the_normalised_message_decides() -> None:
    one, other = _letter(message="no vat for order-7"), _letter(message="no vat for order-8")
    assert _digest(one) == _digest(other) != _digest(_letter(message="no card for order-7"))
    assert fingerprint(one, dead_letter_topic="d").title == "CardDeclined: no vat for order-<n>"


def test_without_a_class_the_dead_letter_topic_decides() -> None:
    letter = _letter(cls="")
    assert _digest(letter, "a.dlq") != _digest(letter, "b.dlq")
    assert fingerprint(letter, dead_letter_topic="a.dlq").title == "No reason given, in a.dlq"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("card 4111 1111 1111 1111 refused", "card <n> <n> <n> <n> refused"),
        ("login postgres://shop:secret@db:5432/x failed", "login postgres://db:<n>/x failed"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <token>"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.sig bad", "token <token> bad"),
        ("mo@example.test is unknown", "<address> is unknown"),
        ("event 0b9c2e4e-8f0f-4d0c-9d55-0f7a1c2b3d4e at 12:04:11", "event <id> at <n>"),
        ("Order@1b6d3586 is bad\nsecond line", "Order is bad"),
    ],
)
def test_s33_secrets_and_ids_are_no_part_of_a_normalised_message(message: str, expected: str) -> None:
    assert normalised(message) == expected


def test_what_letters_of_one_group_say_still_tells_them_apart() -> None:
    found = [
        fingerprint(_letter(stack=_java(), message=said), dead_letter_topic="orders.dlq")
        for said in ("no funds for 1", "no funds for 22", "card expired")
    ]
    assert len({one.digest for one in found}) == 1
    assert found[0].detail == found[1].detail != found[2].detail


@pytest.mark.parametrize("unit", ["a", "/", ".", "a.", "1", "-", "a@", "eyJa", "a://", "a:b@", "\n\tat a.b(", "12-"])
def test_s55_texts_that_are_made_to_be_slow_are_read_in_passing(unit: str) -> None:
    """A fuzzer found the slashes: 80 of them in one line of a stack took for ever."""
    text = unit * (30_000 // len(unit))
    began = time.process_time()
    normalised(text)
    for stack in (text, f"\tat {text}", f"\tat a.{text}ot(ava:32B<ea"):
        sections(stack)
    assert time.process_time() - began < 5


LINES = st.sampled_from(
    (
        "shop.Declined: no",
        "Caused by: shop.Broken: yes",
        "\tat shop.A.b(A.java:1)",
        "\t... 2 more",
        "",
        "Caused by: ",
        "text",
    )
)


@given(st.lists(LINES, max_size=12))
def test_a_stack_in_pieces_is_the_stack_and_is_read_the_same_a_second_time(lines: list[str]) -> None:
    stack = "\n".join(("shop.Failed: no", *lines))
    assert "\n".join(part for said, calls in pieces(stack) for part in (said, calls) if part is not None) == stack
    assert sections(stack) == sections(stack)
    texts = [frame.text for section in sections(stack) for frame in section.frames]
    assert texts == [line.strip() for line in lines if line.startswith("\tat ")]


def test_lines_end_at_every_separator_that_python_knows() -> None:
    found = sections("basic\rCaused by: a.B: c\x85Caused by: d.E\n\tat shop.F.g(F.java:1)\u2028Caused by: q.R: s")
    assert [(each.exception_class, each.message, len(each.own)) for each in found] == [
        ("basic", "", 0),
        ("a.B", "c", 0),
        ("d.E", "", 1),
        ("q.R", "s", 0),
    ]
    assert sections("basic\r")[0].exception_class == "basic"
