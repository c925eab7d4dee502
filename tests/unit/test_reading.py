"""Records are read one by one; a fault of ours is a row and a line in the log, not one line for each record."""

import logging
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from collector.domain.records import Record
from collector.intake.reading import SAY_AGAIN_SECONDS, Faults, undecodable
from collector.otlp import Malformed
from collector.ports import Partition
from collector.store.positions import Place
from tests.unit.test_taps import LETTERS

PLACES = {Partition(LETTERS.name, 0): Place(LETTERS.kafka_id, 0)}
SECRET = "4111-1111"


class Clock:
    """Seconds, as they are set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def records(*offsets: int) -> list[Record]:
    return [Record(LETTERS.name, 0, offset, None, 0, None, b"v", ()) for offset in offsets]


def read(record: Record) -> int:
    if record.offset == 7:
        raise Malformed("no OTLP")
    if record.offset > 7:
        raise ValueError(SECRET)
    return record.offset


def test_what_cannot_be_read_is_a_row_with_its_reason_and_stops_no_other() -> None:
    found, garbage = Faults().each(records(9, 5, 7, 6), PLACES, read, undecodable)
    assert found == [5, 6]
    assert [(each.offset, each.reason) for each in garbage] == [(9, "the decoder failed (ValueError)"), (7, "no OTLP")]


def test_faults_without_end_are_logged_once_a_minute_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    faults = Faults(clock)
    with caplog.at_level(logging.ERROR):
        faults.each(records(*range(10, 510)), PLACES, read, undecodable)
        clock.now += SAY_AGAIN_SECONDS - 1
        faults.each(records(600), PLACES, read, undecodable)
        clock.now += 1
        faults.each(records(601, 602), PLACES, read, undecodable)
    said = [record.getMessage() for record in caplog.records]
    assert [text.splitlines()[0] for text in said] == [
        f"cannot read {LETTERS.name}/0/10 (and 0 more before): ValueError",
        f"cannot read {LETTERS.name}/0/601 (and 500 more before): ValueError",
    ]
    assert all("in read" in text and SECRET not in text for text in said)  # where in our code it was, not what it said


@pytest.mark.parametrize("n_headers", [0, 3, 30])
@pytest.mark.parametrize("n_bytes", [0, 10, 10_000])
def test_what_a_record_is_counted_with_is_about_the_memory_that_it_takes(n_headers: int, n_bytes: int) -> None:
    """As a client makes it: no object is shared with another record."""

    def record(number: int) -> Record:
        headers = tuple((f"header {number} {nth}", b"%d" % (number + nth) + b"h" * 10) for nth in range(n_headers))
        produced_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
        body = b"v" * n_bytes + b"%d" % number
        return Record(f"orders {number}", 10**6 + number, 10**9 + number, produced_at, 1, body, body + b"!", headers)

    tracemalloc.start()
    held = [record(number) for number in range(200)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(each.held_bytes for each in held) == pytest.approx(taken, rel=0.25)
