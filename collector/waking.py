"""Wake a worker by the name of a task: a hint, which may be lost.

Celery is loaded by who wakes: parts that only know this module, such as the sampler, do without its 8 MB.
"""

LIVES_SECONDS = 30  # an old hint is of no use
ONE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "socket_connect_timeout": 1}


def woken(task: str, arguments: list[object]) -> Exception | None:
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
