"""Reading on aiokafka: its receive span is never the current one, so that whatever is sent starts a new trace."""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaConnectionError

from demo.journal import Journal
from demo.parts import Part, instance
from demo.records import Outcome, Position, Record
from demo.sending import Sender

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
    """One getone() at a time. What it has returned is always handled, since it has a span and will be committed."""
    reading = asyncio.ensure_future(consumer.getone())
    while wanted() or reading.done():
        await asyncio.wait({reading}, timeout=LOOK_SECONDS)
        serve()
        if reading.done():
            handle(record_of(reading.result()))
            reading = asyncio.ensure_future(consumer.getone())
    reading.cancel()
    await asyncio.wait({reading})


def record_of(message: ConsumerRecord) -> Record:
    """The message as a Record."""
    position = Position(message.topic, message.partition, message.offset)
    return Record(position, message.key, message.value, list(message.headers), message.timestamp)
