"""Wake a worker by the name of its task: a hint, which may be lost, for the sweep finds the operation too.

Celery is loaded by who wakes: parts that only know this module, such as the sampler, do without its 8 MB.
"""

import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

TASK = "collector.send_retries"
CHECK_TASK = "collector.check_targets"
LIVES_SECONDS = 30  # an old hint is of no use
ONE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1}


def wake(operation_id: int) -> None:
    """Tell a worker that this operation waits."""
    if problem := _sent(TASK, [operation_id]):
        log.warning("Nobody could be woken for retry %d (%s); the sweep will find it.", operation_id, problem)


def wake_to_check(topics: Sequence[int]) -> None:
    """Ask a worker whether these topics may be written to. The page asks again where no answer comes."""
    if problem := _sent(CHECK_TASK, [list(topics)]):
        log.warning("Nobody could be asked about the targets of a plan (%s).", problem)


def _sent(task: str, arguments: list[object]) -> Exception | None:
    """Queue it, and what was wrong. It takes a second at most: a click must not wait for a queue."""
    from celery import current_app
    from kombu.exceptions import OperationalError

    try:
        with current_app.connection_for_write() as queue:
            queue.transport_options = {**queue.transport_options, **ONE_TRY}
            current_app.send_task(task, arguments, retry=False, expires=LIVES_SECONDS, connection=queue)
    except OperationalError as error:
        return error
    return None
