"""Wake a worker by the name of its task: a hint, which may be lost, for the sweep finds the operation too."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

TASK = "collector.send_retries"
LIVES_SECONDS = 30  # an old hint is of no use
ONE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1}


def wake(operation_id: int) -> None:
    """Tell a worker that this operation waits. It takes a second at most: a click must not wait for a queue."""
    try:
        with current_app.connection_for_write() as queue:
            queue.transport_options = {**queue.transport_options, **ONE_TRY}
            current_app.send_task(TASK, [operation_id], retry=False, expires=LIVES_SECONDS, connection=queue)
    except OperationalError as error:
        log.warning("Nobody could be woken for retry %d (%s); the sweep will find it.", operation_id, error)
