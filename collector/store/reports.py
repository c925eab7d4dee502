"""What each long-running part last said of itself; Health reads only this."""

import json
from collections.abc import Mapping
from datetime import datetime

from django.db import connection

EVERY_SECONDS = 5.0
STOPPED = ""  # the instance of the row that tells when one stopped in order


def report(
    part: str,
    *,
    instance: str,
    now: datetime,
    ok: bool,
    sentence: str,
    value: Mapping[str, object],
    every_seconds: float = EVERY_SECONDS,
) -> None:
    """Replace the row of this part and instance ("pid@host"). `value`: JSON-ready, units in the names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into part_report (part, instance, at, every_seconds, ok, sentence, value)"
            " values (%s, %s, %s, %s, %s, %s, %s::jsonb)"
            " on conflict (part, instance) do update set at = excluded.at, every_seconds = excluded.every_seconds,"
            " ok = excluded.ok, sentence = excluded.sentence, value = excluded.value",
            [part, instance, now, every_seconds, ok, sentence, json.dumps(value)],
        )


def withdraw(part: str, *, instance: str, now: datetime) -> None:
    """This instance stopped as it was told to: of all of its part that did, one row says when the last one stopped."""
    with connection.cursor() as cursor:
        cursor.execute("delete from part_report where part = %s and instance = %s", [part, instance])
    report(part, instance=STOPPED, now=now, ok=True, sentence="Stopped as it was told to.", value={})
