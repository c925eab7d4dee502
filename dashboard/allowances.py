"""How often the holder of an API token may ask: a bucket per token, in Postgres as all processes share it (S25)."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from django.conf import settings
from django.db import connection

BURST_SECONDS = 5
RETRIES, RETRY_SECONDS = 10, 60


class TooOften(Exception):
    """More requests than this token may make. Try again in a moment."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"This token asks too often. Try again in {seconds} s.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Bucket:
    """Holds `size`, fills by `per_second`."""

    name: str
    size: float
    per_second: float


def spend(public_id: str, *, retry: bool, now: datetime) -> None:
    """Count one request of this token, and one retry. Raises TooOften, and then counts nothing more."""
    buckets = [Bucket("request", settings.WEIR_API_PER_SECOND * BURST_SECONDS, settings.WEIR_API_PER_SECOND)]
    if retry:
        buckets.append(Bucket("retry", RETRIES, RETRIES / RETRY_SECONDS))
    for bucket in buckets:
        if not _took(f"{bucket.name}:{public_id}", bucket, now):
            raise TooOften(max(1, ceil(1 / bucket.per_second)))


def _took(key: str, bucket: Bucket, now: datetime) -> bool:
    """Take one out of the bucket; False where there is none. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"key": key, "size": bucket.size, "rate": bucket.per_second, "now": now})
        return cursor.fetchone() is not None


_LEFT = (
    "least(%(size)s::float8, a.n_left + %(rate)s::float8"
    " * greatest(0, extract(epoch from %(now)s::timestamptz - a.at)::float8))"
)
_TAKE = f"""
insert into dashboard_allowance as a (key, n_left, at) values (%(key)s, %(size)s::float8 - 1, %(now)s)
on conflict (key) do update set n_left = {_LEFT} - 1, at = greatest(a.at, excluded.at) where {_LEFT} >= 1
returning key
"""  # noqa: S608
