"""Celery's processes: the schedule, when they are ready, and what the worker says on Health."""

import logging
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from celery import Task
from celery.signals import beat_init, task_postrun, task_prerun, worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, connections

import collector.tasks
import dashboard.tasks
from collector import telemetry
from collector.clock import now
from collector.management.health import PartReport
from collector.management.probes import Probes, serving
from collector.ready import announce_ready
from collector.retry.dispatch import STOPPING
from dashboard.celery import app

logger = logging.getLogger(__name__)

SCHEDULE: Mapping[str, Mapping[str, object]] = {**collector.tasks.SCHEDULE, **dashboard.tasks.SCHEDULE}
REPORT_SECONDS = 5.0
LASTS_SECONDS = 3.0
_ended = threading.Event()
_serving = ExitStack()
_spans: dict[str, ExitStack] = {}  # of tasks under way, each on a thread of its own

app.conf.beat_schedule = SCHEDULE


def on_worker_ready(**_facts: object) -> None:
    """The consumer is joined: announce it, answer probes, and report from a thread of its own."""
    telemetry.start("worker", send_to=settings.WEIR_TELEMETRY_URL, is_read=bool(settings.WEIR_WORKER_PORT))
    telemetry.observe("counter", "weir.worker.tasks", _n_done, unit="{task}", description="Tasks that ended")
    telemetry.observe("gauge", "weir.worker.running", _n_running, unit="{task}", description="Tasks under way")
    bind, port, token = settings.WEIR_METRICS_BIND, settings.WEIR_WORKER_PORT, settings.WEIR_METRICS_TOKEN
    _serving.enter_context(serving(Probes(bind, port, token, live=lambda: True, ready=lambda: not STOPPING.is_set())))
    threading.Thread(target=_report_until_ended, name="reports", daemon=True).start()
    announce_ready()


def on_worker_shutting_down(**_facts: object) -> None:
    """Operations are sent by tasks that take long: they end after the claim under way, others go on with them."""
    if not STOPPING.is_set():
        threading.Thread(target=_say_what_lasts, name="last", daemon=True).start()
    STOPPING.set()


def on_worker_shutdown(**_facts: object) -> None:
    """No more reports."""
    _ended.set()
    _serving.close()


def on_task_begun(task_id: str, task: Task, **_facts: object) -> None:
    """A span of Weir's own for each task."""
    _spans[task_id] = ExitStack()
    _spans[task_id].enter_context(telemetry.span(task.name))


def on_task_ended(task_id: str, **_facts: object) -> None:
    """However it ended."""
    if begun := _spans.pop(task_id, None):
        begun.close()


def _say_what_lasts() -> None:
    """Its end waits for the tasks under way: whoever waits for the worker, or kills it, reads which."""
    if not _ended.wait(LASTS_SECONDS):
        names = ", ".join(_names_under_way()) or "its connections alone"
        logger.warning("Still under way after %.0f s: %s.", LASTS_SECONDS, names)


def _names_under_way() -> list[str]:
    while True:
        with suppress(RuntimeError):  # a task ended or began while they were gone through
            return sorted(request.name for request in state.active_requests)


def _n_done() -> int:
    return sum(state.total_count.values())


def _n_running() -> int:
    return len(state.active_requests)


def on_beat_ready(**_facts: object) -> None:
    """The clock ticks."""
    announce_ready()


def _report_until_ended() -> None:
    report = PartReport("worker")
    while not _ended.is_set():
        running, done = _n_running(), _n_done()
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
task_prerun.connect(on_task_begun)
task_postrun.connect(on_task_ended)
beat_init.connect(on_beat_ready)
