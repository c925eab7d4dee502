"""A hint that something changed, sent with the current transaction. It may be lost without harm."""

from typing import Literal

from django.db import connection

CHANNEL = "weir"
Subject = Literal[
    "topology", "samples", "letters", "retries", "names", "layout", "access", "health", "settings", "lookups"
]


def announce(subject: Subject, number: int = 0) -> None:
    """Wake the listeners: `subject` changed, and `number` is its newest sequence (0 where it has none)."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, %s)", [CHANNEL, f"{subject} {number}"])
