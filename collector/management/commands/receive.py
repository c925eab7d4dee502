"""`manage.py receive`: takes spans over OTLP/HTTP and OTLP/gRPC and puts them into the spool."""

import asyncio
import contextlib
import logging
import os
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from collector import clock, telemetry, wiring
from collector.config import tokens
from collector.management.health import PartReport
from collector.ports import KafkaRefused
from collector.ready import announce_ready
from collector.receive.allowances import Allowance, Allowances
from collector.receive.grpc_service import GrpcReceiver
from collector.receive.http import HttpReceiver
from collector.receive.origins import Origins
from collector.receive.reception import Reception
from collector.receive.senders import Senders
from collector.receive.server import BadCertificate, Pair, Places, PortTaken, Receivers
from collector.store.connection import StoreAway, reaching
from collector.store.listening import Listener

logger = logging.getLogger(__name__)

REPORT_CHECK_SECONDS = 1.0
LAST_WORD_SECONDS = 0.3


class Command(BaseCommand):
    """Receives. Kafka is the buffer: Postgres may be away, then only Health and new tokens wait for it."""

    help = "Take traces over OTLP/HTTP and OTLP/gRPC and put them into the spool in Kafka."
    requires_system_checks = (Tags.security,)  # the settings'; that of addresses loads all pages

    def handle(self, *_args: object, **_options: object) -> None:
        """Run until SIGTERM."""
        database = ThreadPoolExecutor(1, thread_name_prefix="receive-database")
        workers = ThreadPoolExecutor(2, thread_name_prefix="receive-parse")
        try:
            asyncio.run(_serve(database, workers))
        except BadCertificate as error:
            raise CommandError(f"WEIR_OTLP_TLS_CERT, WEIR_OTLP_TLS_KEY: {error}") from None
        except (PortTaken, KafkaRefused) as error:
            raise CommandError(str(error)) from None
        database.shutdown(wait=False, cancel_futures=True)
        workers.shutdown(wait=False, cancel_futures=True)
        logging.shutdown()
        os._exit(0)  # what still waits for a server that does not answer must not hold up the stop


async def _serve(database: ThreadPoolExecutor, workers: ThreadPoolExecutor) -> None:
    required = settings.WEIR_OTLP_TOKENS == "required"
    allowance = Allowance(settings.WEIR_SOURCE_SPANS_PER_SECOND, settings.WEIR_SOURCE_BYTES_PER_DAY)
    reception = Reception(
        wiring.spool_publisher(), wiring.SPOOL_TOPIC, clock.now, allowances=Allowances(allowance, clock.now)
    )
    senders = Senders(_find, required=required, away=(StoreAway,), executor=database, now=clock.now)
    origins = Origins(settings.WEIR_OTLP_HOSTS, settings.WEIR_OTLP_ORIGINS, any_host=required)
    places = Places(settings.WEIR_OTLP_BIND, settings.WEIR_OTLP_HTTP_PORT, settings.WEIR_OTLP_GRPC_PORT)
    receivers = Receivers(
        reception=reception,
        http=HttpReceiver(reception, senders, origins, workers, metrics_token=settings.WEIR_METRICS_TOKEN),
        grpc=GrpcReceiver(reception, senders),
        places=places,
        make_spool=wiring.make_spool_topic,
        on_ready=announce_ready,
        pair=Pair(settings.WEIR_OTLP_TLS_CERT, settings.WEIR_OTLP_TLS_KEY) if settings.WEIR_OTLP_TLS_CERT else None,
    )
    telemetry.start("receive", send_to=settings.WEIR_TELEMETRY_URL)
    _observe(reception)
    reporter = _Reporter(reception, places, senders)
    reporting = asyncio.create_task(reporter.run(database))
    try:
        await receivers.serve()
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
    with contextlib.suppress(TimeoutError, StoreAway):
        async with asyncio.timeout(LAST_WORD_SECONDS):
            await asyncio.wrap_future(database.submit(reporter.withdraw))


def _observe(reception: Reception) -> None:
    counters = reception.counters
    for name, unit, read in (
        ("requests", "{request}", lambda: counters.n_requests),
        ("spans", "{span}", lambda: counters.n_spans),
        ("rejected", "{span}", lambda: counters.n_rejected),
        ("refused", "{request}", lambda: counters.n_refused),
        ("bytes", "By", lambda: counters.n_bytes),
    ):
        telemetry.observe("counter", f"weir.receive.{name}", read, unit=unit, description=f"Received: {name}")
    telemetry.observe(
        "gauge", "weir.receive.in_flight", lambda: reception.in_flight_bytes, unit="By", description="Held in memory"
    )


def _find(text: str, now: datetime) -> tokens.Token | None:
    with reaching():
        return tokens.find(text, now)


class _Reporter:
    """The row on Health. While Postgres is away there is none, and receiving goes on."""

    def __init__(self, reception: Reception, places: Places, senders: Senders) -> None:
        self._report = PartReport("receive")
        self._listener = Listener()
        self._senders = senders
        self._reception = reception
        self._places = places
        self._away = False

    async def run(self, database: ThreadPoolExecutor) -> None:
        """Look every second; PartReport writes every five, or when it turns good or bad."""
        waiting: Future[None] | None = None
        while True:
            if waiting is None or waiting.done():
                waiting = database.submit(self._say)
            await asyncio.sleep(REPORT_CHECK_SECONDS)

    def withdraw(self) -> None:
        """This process ends in order. Raises StoreAway."""
        with reaching():
            self._report.withdraw()

    def _say(self) -> None:
        ready, places = self._reception.ready, self._places
        if ready:
            sentence = (
                f"Takes traces on {places.bind}, ports {places.http_port} (OTLP/HTTP) and {places.grpc_port} (gRPC)."
            )
        else:
            sentence = "Kafka does not acknowledge: senders are told to keep their spans and try again."
        try:
            with reaching():
                if self._listener.asked("access"):
                    self._senders.doubt()
                self._report.say(sentence, ok=ready, now=clock.now(), value=self._numbers())
        except StoreAway as error:
            if not self._away:
                logger.warning("Health does not hear of the receiver, which goes on: %s", error)
            self._away = True
        else:
            self._away = False

    def _numbers(self) -> dict[str, object]:
        counters = self._reception.counters
        return {
            "n_requests": counters.n_requests,
            "n_spans": counters.n_spans,
            "n_rejected": counters.n_rejected,
            "n_refused": counters.n_refused,
            "n_above_allowance": self._reception.allowances.n_refused if self._reception.allowances else 0,
            "received_bytes": counters.n_bytes,
            "in_flight_bytes": self._reception.in_flight_bytes,
            "last_taken_at": counters.last_taken_at.isoformat() if counters.last_taken_at else None,
        }
