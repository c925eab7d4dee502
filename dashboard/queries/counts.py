"""The numbers beside the navigation: dead letters that wait, retries that run."""

from dataclasses import dataclass

from django.db import connection

from collector.domain.dead_letters import LetterStatus


@dataclass(frozen=True, slots=True)
class Counts:
    """`open`: dead letters that wait for a person. `running`: retry operations that are not done."""

    open: int
    running: int


def counts() -> Counts:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select (select coalesce(sum(n), 0)::bigint from failure_count where status = any(%s)),"
            " (select count(*) from retry_operation where status in (0, 1))",  # as its index has it
            [[int(LetterStatus.OPEN), int(LetterStatus.UNKNOWN)]],
        )
        n_open, n_running = cursor.fetchone()
    return Counts(n_open, n_running)
