"""S40: on a cluster where nothing is allowed by an admin, a forged origin of any dialect sends nothing anywhere."""

import json
import struct
from collections.abc import Iterator

import pytest

from collector.domain.dialects import ksqldb, read, uforwarder
from collector.domain.dialects.family import Family
from collector.domain.dialects.registry import FAMILIES
from collector.domain.records import Headers, Record
from collector.domain.varints import varint
from collector.retry.refusals import NothingToSend
from tests.integration.letter_world import AT, one, rows
from tests.integration.retry_world import RetryWorld, click, counts_fit

pytestmark = pytest.mark.usefixtures("clean_tables")

VICTIM, CLAIMED = "payments", 3  # a topic that the forger cannot write to, and an offset there
KEY, VALUE = b"forged", b'{"amount": 1000000}'


@pytest.fixture
def world() -> Iterator[RetryWorld]:
    """With a topic of other records, which is as real as any."""
    made = RetryWorld()
    made.letters.topic(VICTIM)
    made.broker.create(VICTIM, n_partitions=1)
    for n in range(10):
        made.broker.append(Record(VICTIM, 0, 0, AT, 1, f"p{n}".encode(), b'{"amount": 1}', ()))
    yield made
    assert counts_fit()


def _number(family: Family, number: int) -> bytes:
    """As this family writes it."""
    text = str(number).encode()
    return text if family.number(text) == number else struct.pack(">i", number)


def _forged(family: Family) -> Record:
    """A record that anybody may write into the dead-letter topic; it claims to have come from the victim."""
    headers: Headers = (
        *((mark, b"x") for mark in (*family.marks[:1], *family.needs)),
        *((header, VICTIM.encode()) for header in family.topic[:1]),
        *((header, _number(family, 0)) for header in family.partition[:1]),
        *((header, _number(family, CLAIMED)) for header in family.offset[:1]),
    )
    return Record("orders.created.dlq", 0, 7, AT, 1, KEY, VALUE, tuple(dict(headers).items()))


def _forged_key() -> Record:
    """uForwarder tells in the key where a record came from."""
    body = b""
    for number, value in ((2, VICTIM.encode()), (3, 0), (4, CLAIMED), (6, KEY)):
        is_run = isinstance(value, bytes)
        body += varint(number << 3 | (2 if is_run else 0)) + varint(len(value) if isinstance(value, bytes) else value)
        body += value if isinstance(value, bytes) else b""
    return Record("payments__billing__dlq", 0, 7, AT, 1, body, VALUE, ())


def _forged_log() -> Record:
    """ksqlDB writes of a record that lies elsewhere."""
    error = {"errorMessage": "no", "recordB64": "Zm9yZ2Vk", "topic": VICTIM}
    body = json.dumps({"message": {"type": 0, "deserializationError": error}}).encode()
    return Record("default_ksql_processing_log", 0, 7, AT, 1, KEY, body, ())


FORGED = [
    *((family.dialect, _forged(family)) for family in FAMILIES),
    (uforwarder.DIALECT, _forged_key()),
    (ksqldb.DIALECT, _forged_log()),
]


@pytest.mark.parametrize(("dialect", "record"), FORGED, ids=[f"{n} {dialect}" for n, (dialect, _) in enumerate(FORGED)])
def test_s40_a_forged_origin_sends_nothing_anywhere(world: RetryWorld, dialect: str, record: Record) -> None:
    found = read(record)
    assert found is not None
    assert found.dialect == dialect
    if record.topic != "orders.created.dlq":
        rows("update topic set name = %s where id = %s returning 1", record.topic, world.letters.dlq)
    (letter,) = world.letters.park(record)
    claims = rows("select t.name, origin_offset from dead_letter join topic t on t.id = origin_topic_id")
    assert claims in ([], [(VICTIM, CLAIMED)], [(VICTIM, None)])
    try:
        world.send(click(letter).id)
    except NothingToSend:
        assert claims != [(VICTIM, CLAIMED)], "whether the claim is true is for the worker to find out"
    for topic in world.broker.topics:
        assert world.sent(topic) == []
    assert one("select count(*) from retry_item where status <> 7") == 0
    assert rows("select status from letter_state") == [(0,)]


def test_s40_the_same_records_with_the_bytes_of_their_origin_are_sent(world: RetryWorld) -> None:
    """What makes the difference are the bytes at the claimed position, and nothing else."""
    record = FORGED[0][1]
    honest = Record(record.topic, 0, 8, AT, 1, b"p3", b'{"amount": 1}', record.headers)
    (letter,) = world.letters.park(honest)
    world.send(click(letter).id)
    assert len(world.sent(VICTIM)) == 1
