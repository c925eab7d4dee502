"""Slows guessing of passwords without letting anybody lock somebody else out (docs/security.md S17)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from django.db import models, transaction
from django.utils.crypto import salted_hmac

from dashboard import addresses
from dashboard.models import SignInTries

N_FREE = 5
LONGEST_SECONDS = 15 * 60
FORGOTTEN_AFTER = timedelta(days=1)
HOUR = timedelta(hours=1)
PER_HOUR = {"name": 50, "address": 100}


@dataclass(frozen=True, slots=True)
class Tries:
    """What is known of one key: `n` tries since `since_at`, the last at `last_at`."""

    n: int
    since_at: datetime
    last_at: datetime


def wait_seconds(kind: str, tries: Tries, *, now: datetime) -> float:
    """How long the next try under this key has to wait; 0 is now.

    name, address: a number an hour. pair, browser: five free, then 2, 4, 8 … seconds up to 15 minutes.
    """
    if kind in PER_HOUR:
        ends_at = tries.since_at + HOUR
        return (ends_at - now).total_seconds() if tries.n >= PER_HOUR[kind] and now < ends_at else 0
    if tries.n < N_FREE or now - tries.last_at >= FORGOTTEN_AFTER:
        return 0
    delay = min(1 << min(tries.n - N_FREE + 1, 20), LONGEST_SECONDS)
    return max(0.0, delay - (now - tries.last_at).total_seconds())


def after_another(kind: str, tries: Tries, *, now: datetime) -> Tries:
    """The key's tries with one more at `now`; counters start anew after an hour, or after a day of quiet."""
    span = HOUR if kind in PER_HOUR else FORGOTTEN_AFTER
    start = tries.since_at if kind in PER_HOUR else tries.last_at
    return Tries(1, now, now) if now - start >= span else Tries(tries.n + 1, tries.since_at, now)


def keys(name: str, address: str, *, browser: str | None) -> tuple[str, ...]:
    """What a try is held against. A browser that signed in as `name` before answers for itself alone."""
    person = _hidden("name", name)
    if browser is not None:
        return (f"browser:{_hidden('browser', f'{browser} {name}')}",)
    near = _near(address)
    return (f"pair:{_hidden('pair', f'{near} {name}')}", f"name:{person}", f"address:{_hidden('address', near)}")


def claim(held_against: Iterable[str], *, now: datetime) -> float:
    """Count one try against every key and return 0, or count nothing and return the seconds to wait.

    The try is counted before the password is looked at, so that many at once cannot slip through.
    """
    ordered = sorted(held_against)
    with transaction.atomic():
        SignInTries.objects.bulk_create(
            [SignInTries(key=key, n=0, since_at=now, last_at=now) for key in ordered], ignore_conflicts=True
        )
        rows = list(SignInTries.objects.select_for_update().filter(key__in=ordered).order_by("key"))
        known = {row: Tries(row.n, row.since_at, row.last_at) for row in rows}
        wait = max(wait_seconds(_kind(row), tries, now=now) for row, tries in known.items())
        if wait > 0:
            return wait
        for row, tries in known.items():
            more = after_another(_kind(row), tries, now=now)
            row.n, row.since_at, row.last_at = more.n, more.since_at, more.last_at
        SignInTries.objects.bulk_update(rows, ["n", "since_at", "last_at"])
    return 0


def forgive(held_against: Iterable[str]) -> None:
    """The try was right: its pair or browser starts anew, and it is taken off the hourly counts."""
    for key in sorted(held_against):
        found = SignInTries.objects.filter(key=key)
        if key.partition(":")[0] in PER_HOUR:
            found.filter(n__gt=0).update(n=models.F("n") - 1)
        else:
            found.delete()


def forget(*, now: datetime) -> int:
    """Delete keys that no longer count; how many there were."""
    return SignInTries.objects.filter(last_at__lt=now - FORGOTTEN_AFTER).delete()[0]


def _kind(row: SignInTries) -> str:
    return row.key.partition(":")[0]


def _near(address: str) -> str:
    """The /24 or /64 an address lies in."""
    found = addresses.address(address)
    if found is None:
        return "?"
    return str(ip_network(f"{found}/{24 if found.version == 4 else 64}", strict=False))


def _hidden(kind: str, text: str) -> str:
    return salted_hmac(f"dashboard.throttle.{kind}", text, algorithm="sha256").hexdigest()
