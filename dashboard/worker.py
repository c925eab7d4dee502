"""Celery's processes: the schedule, when they are ready, and what the worker says on Health."""

import logging
import threading
from collections.abc import Mapping

from celery.signals import beat_init, worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state
from django.db import DatabaseError, connections

import collector.tasks
import dashboard.tasks
from collector.clock import now
from collector.management.health import PartReport
from collector.ready import announce_ready
from collector.retry.dispatch import STOPPING
from dashboard.celery import app

logger = logging.getLogger(__name__)

SCHEDULE: Mapping[str, Mapping[str, object]] = {**collector.tasks.SCHEDULE, **dashboard.tasks.SCHEDULE}
REPORT_SECONDS = 5.0
_ended = threading.Event()

app.conf.beat_schedule = SCHEDULE


def on_worker_ready(**_facts: object) -> None:
    """The consumer is joined: announce it, and report from a thread of its own."""
    threading.Thread(target=_report_until_ended, name="reports", daemon=True).start()
    announce_ready()


def on_worker_shutting_down(**_facts: object) -> None:
    """Operations are sent by tasks that take long: they end after the claim under way, others go on with them."""
    STOPPING.set()


def on_worker_shutdown(**_facts: object) -> None:
    """No more reports."""
    _ended.set()


def on_beat_ready(**_facts: object) -> None:
    """The clock ticks."""
    announce_ready()


def _report_until_ended() -> None:
    report = PartReport("worker")
    while not _ended.is_set():
        running, done = len(state.active_requests), sum(state.total_count.values())
        sentence = f"{running} running, {done:,} tasks since the start."
        try:
            report.say(sentence, ok=True, now=now(), value={"n_running": running, "n_tasks": done})
        except DatabaseError as error:
            logger.warning("Health was not told (%s).", type(error).__name__)
        finally:
            connections.close_all()
        _ended.wait(REPORT_SECONDS)


worker_ready.connect(on_worker_ready)
worker_shutting_down.connect(on_worker_shutting_down)
worker_shutdown.connect(on_worker_shutdown)
beat_init.connect(on_beat_ready)
