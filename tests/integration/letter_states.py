"""A dead letter in each state that its page can have, by what the state is called."""

from dataclasses import replace

from django.db import connection, transaction

from collector.clock import now
from collector.config import declared
from collector.domain.dead_letters import LetterStatus
from collector.domain.records import Headers, Record
from collector.retry import decisions, notes, outcomes
from collector.retry.records import Asker
from collector.store.dead_letters import park
from collector.store.letter_states import move
from tests.integration.letter_world import AT, LetterWorld, dead_record, letter_of, one, rows
from tests.integration.retry_world import RetryWorld, click

OLGA = Asker(7, "olga", "::1")
CONNECT: Headers = (
    ("__connect.errors.topic", b"orders.created"),
    ("__connect.errors.stage", b"VALUE_CONVERTER"),
    ("__connect.errors.connector.name", b"archiver"),
)
SMALLRYE: Headers = (
    ("dead-letter-topic", b"orders.created"),
    ("dead-letter-partition", b"0"),
    ("dead-letter-offset", b"118"),
    ("dead-letter-reason", b"order 18 has no price for snuffer"),
    ("dead-letter-exception-class-name", b"shop.prices.NoPrice"),
)


def every_state(world: RetryWorld) -> dict[str, int]:
    """Ids by the state's name: each is a letter of its own."""
    letters = world.letters
    secret = letters.topic("cards.charged.dlq", role=1)
    with transaction.atomic():
        masks = {"cards": {"topics": ["cards.*"], "paths": ["$.card.number"], "headers": ["order-id"]}}
        declared.replace({"mask": masks, "permissions": {"export": True}}, by="a test", now=now())
    found = {name: _parked(letters, record) for name, record in _records().items()}
    found["masked"] = _parked(letters, replace(dead_record(20), topic="cards.charged.dlq", value=_CARD), secret)
    _again(world, found["failed again"])
    click(found["being retried"], token="t2")
    late = click(found["no answer"], token="t3")
    world.send(late.id)
    rows("update retry_item set sent_at = now() - interval '1 hour' where operation_id = %s returning 1", late.id)
    doubtful = click(found["unknown"], token="t4")
    rows("update retry_item set status = 3, outcome = 'unreadable' where operation_id = %s returning 1", doubtful.id)
    with transaction.atomic(), connection.cursor() as cursor:
        move(cursor, [found["unknown"]], LetterStatus.UNKNOWN, out_of=[LetterStatus.RETRY_REQUESTED], now=now())
    decisions.archive([found["archived"]], OLGA, reason="PAY-311: known, mended in 2.8.1", now=now())
    notes.note(one("select min(id) from failure_group"), OLGA, text="PAY-311, fix in 2.8.1", now=now())
    return found


_CARD = b'{"order": 20, "card": {"number": "4111111111111111", "owner": "Olga"}}'


def _records() -> dict[str, Record]:
    binary = dead_record(7)
    return {
        "open": dead_record(1),
        "failed again": dead_record(2),
        "being retried": dead_record(3),
        "no answer": dead_record(4),
        "unknown": dead_record(5),
        "archived": replace(dead_record(6), key=b"order-1"),
        "binary": replace(binary, value=bytes(range(256)) * 4, key=b"\xff\x00\x01"),
        "large": replace(dead_record(8), value=b'{"lines": [' + b'{"sku": "weir-board", "n": 3},' * 33_000 + b"0]}"),
        "many headers": dead_record(9, marks=tuple((f"x-step-{n}", f"seen by step {n}".encode()) for n in range(250))),
        "two dialects": dead_record(16, marks=CONNECT),
        "no dialect": Record("orders.created.dlq", 0, 17, AT, 1, b"order-17", b"plain words, no JSON", ()),
        "another dialect": Record("orders.created.dlq", 0, 18, AT, 1, b"order-1", b'{"amount": 3}', SMALLRYE),
        "tombstone": replace(dead_record(19), value=None, key=None),
        "long": replace(dead_record(21), key=b"order-" + b"9" * 300, headers=_long()),
    }


def _long() -> Headers:
    long = {"kafka_dlt-exception-cause-fqcn": b"shop.billing." + b"VeryLongNamed" * 12 + b"Exception"}
    headers = tuple((name, long.get(name, value)) for name, value in dead_record(21).headers)
    return (*headers, ("kafka_dlt-exception-message", b"the-message-without-a-blank-" * 40))


def _parked(letters: LetterWorld, record: Record, topic: int | None = None) -> int:
    with connection.cursor() as cursor:
        park(cursor, [(record, topic or letters.dlq, letter_of(record))], now=now())
    return one("select id from dead_letter where kafka_offset = %s", record.offset)


def _again(world: RetryWorld, number: int) -> None:
    asked = click(number)
    world.send(asked.id, after_seconds=60)
    died = dead_record(30, origin_offset=world.sent()[-1].offset)
    with connection.cursor() as cursor:
        park(cursor, [(died, world.letters.dlq, letter_of(died))], now=now())
    outcomes.settle(now=now())
