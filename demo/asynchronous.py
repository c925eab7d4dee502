"""Reading on aiokafka: its receive span is never the current one, so that whatever is sent starts a new trace."""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaConnectionError

from demo.journal import Journal
from demo.parts import Part, instance
from demo.records import Outcome, Position, Record
from demo.sending import ENOUGH_BYTES, GATHER_MS, Sender

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
AGAIN_SECONDS = 1.0


async def read(
    wanted: Callable[[], bool],
    *,
    part: Part,
    bootstrap: str,
    journal: Journal,
    sender: Sender,
    work: Callable[[Record], Outcome],
    ready: Callable[[], None],
) -> None:
    """Join the group and read until `wanted` says no; then commit and leave."""

    def handle(record: Record) -> None:
        outcome = work(record)
        journal.consumed(record, outcome)
        for outgoing in outcome.outgoing:
            sender.send(outgoing, causes=[record.position])

    consumer = AIOKafkaConsumer(
        *part.reads,
        bootstrap_servers=bootstrap,
        group_id=part.group,
        client_id=instance(part),
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        auto_commit_interval_ms=1000,
        fetch_max_wait_ms=GATHER_MS,
        fetch_min_bytes=ENOUGH_BYTES,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=2_000,
    )
    try:
        if await _started(consumer, wanted):
            ready()
            await _read(consumer, wanted, handle=handle, serve=sender.serve)
    finally:
        await consumer.stop()


async def _started(consumer: AIOKafkaConsumer, wanted: Callable[[], bool]) -> bool:
    while wanted():
        try:
            await consumer.start()
        except KafkaConnectionError as error:
            log.warning("%s", error)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return True
    return False


async def _read(
    consumer: AIOKafkaConsumer,
    wanted: Callable[[], bool],
    *,
    handle: Callable[[Record], None],
    serve: Callable[[], None],
) -> None:
    """Read in a task of its own. What getone() has returned is always handled, since it has a span and is committed:
    the task can be cancelled where it waits for a record, and nowhere between that record and its result."""

    async def work() -> None:
        while wanted():
            handle(record_of(await consumer.getone()))
            serve()
            await asyncio.sleep(0)  # the turn of the client's own tasks: getone() waits only without records

    working = asyncio.create_task(work())
    try:
        while not working.done() and wanted():
            await asyncio.wait({working}, timeout=LOOK_SECONDS)
            serve()
    finally:
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled():
        working.result()


def record_of(message: ConsumerRecord) -> Record:
    """The message as a Record."""
    position = Position(message.topic, message.partition, message.offset)
    return Record(position, message.key, message.value, list(message.headers), message.timestamp)
