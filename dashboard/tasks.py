"""Celery tasks of the dashboard. Each may run twice without harm."""

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from collector import clock
from dashboard import placements, throttle

SCHEDULE = {
    "keep-layout": {"task": "dashboard.tasks.keep_layout", "schedule": 2.0, "options": {"expires": 2.0}},
    "forget-sign-ins": {"task": "dashboard.tasks.forget_sign_ins", "schedule": 3600.0},
}
_seen: tuple[int, ...] | None = None


@shared_task(ignore_result=True)
def keep_layout() -> None:
    """Place newcomers on the graph. Looks closer only at a new name, a lost place, or a wish."""
    global _seen
    newest = _newest()
    if newest != _seen and placements.keep(now=clock.now()) == 0:
        _seen = newest


@shared_task(ignore_result=True)
def forget_sign_ins() -> None:
    """Delete counts of failed sign-ins that no longer delay anybody, and sessions that ended."""
    throttle.forget(now=clock.now())
    SessionStore.clear_expired()


def _newest() -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select (select max(id) from edge), (select max(id) from topic), (select max(id) from consumer_group),"
            " (select count(*) from layout_node), (select count(*) from group_now),"
            " (select count(*) from layout where wanted is not null),"
            " (select floor(extract(epoch from ran_at) / 30) from fold_state)"
        )
        return tuple(int(number or 0) for number in cursor.fetchone())
