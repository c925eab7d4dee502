"""`python -m demo.run NAME`: run one service of the shop until SIGTERM."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from demo import settings as environment
from demo.journal import Journal
from demo.lifeline import CutOff
from demo.parts import ON_AIOKAFKA, NoSuchPart, Part, instance, part_named
from demo.records import Outcome
from demo.running import Running, Tools, version_of
from demo.sending import Sender
from demo.settings import NotSet
from demo.shifts import work_shift
from demo.states import Watch

if TYPE_CHECKING:
    from demo.tracing import Tracing

log = logging.getLogger("demo")

FLUSH_SECONDS = 0.8
EXPORT_SECONDS, HANDOVER_SECONDS = 0.8, 5.0
STOP_SECONDS = 1.9
STOPPED_LOOK_SECONDS = 0.2


def main(words: list[str]) -> int:
    """Run the service; 0 after an orderly stop. For a new version, say, it starts anew under the same pid."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    try:
        part, settings = part_named(words[0] if words else ""), environment.from_environment()
    except (NoSuchPart, NotSet) as error:
        sys.stderr.write(f"usage: python -m demo.run NAME\n{error}\n")
        return 2
    watch = Watch(settings.state_dir)
    running = Running(part, settings, watch, version_of(part, watch.state()), threading.Event())
    _end_on_signals(running.halt)
    try:
        _run(running)
    except CutOff as error:
        log.warning("%s starts anew: its client is cut off. %s", part.name, error)
    else:
        log.info("%s %s ends", part.name, running.version)
    if running.halt.is_set():
        return 0
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 its own command line


def _run(running: Running) -> None:
    part, settings = running.part, running.settings
    tracing = _traced(part, running.version)
    journal = Journal(part, state_dir=settings.state_dir, max_bytes=settings.truth_bytes, version=running.version)
    sender = Sender(bootstrap=settings.bootstrap, client_id=instance(part), journal=journal)

    def failed(outcome: Outcome) -> None:
        log.info("%s: %s", part.name, outcome.failure)
        if tracing is not None and outcome.failure is not None:
            tracing.failed(outcome.failure)

    tools = Tools(sender, journal, failed)
    try:
        while not running.over():
            if running.wanted():
                work_shift(running, tools)
                sender.flush(seconds=FLUSH_SECONDS)  # what was sent is in the truth log when it was sent
            else:
                running.announce()
                running.halt.wait(STOPPED_LOOK_SECONDS)
    finally:
        if missing := sender.flush(seconds=FLUSH_SECONDS):
            log.warning("%d records were not sent: Kafka is away", missing)
        seconds = EXPORT_SECONDS if running.halt.is_set() else HANDOVER_SECONDS  # nobody waits for a new version
        if tracing is not None and not tracing.stop(seconds=seconds):
            log.warning("the last spans were not exported: the receiver is away")
        journal.close()


def _traced(part: Part, version: str) -> "Tracing | None":
    if not part.traced:
        return None
    from demo import tracing

    traced = tracing.Tracing(part, version=version)
    if part.name in ON_AIOKAFKA:
        tracing.instrument_aiokafka()
    if part.writes or part.name not in ON_AIOKAFKA:
        tracing.instrument_confluent_kafka()
    return traced


def _end_on_signals(halt: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        halt.set()
        # A client that waits for a broker which is away must not hold up the end.
        last_resort = threading.Timer(STOP_SECONDS, os._exit, args=[1])
        last_resort.daemon = True
        last_resort.start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
