"""When a session is over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore

from dashboard import sessions

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Somebody:
    """A signed-in person."""

    role: str


@pytest.mark.parametrize(
    ("role", "age_hours", "idle_hours", "over"),
    [
        ("operator", 11, 11, False),
        ("operator", 12.1, 12.1, True),
        ("viewer", 13, 12.1, True),
        ("admin", 24 * 7 - 1, 0, False),
        ("admin", 24 * 7 + 1, 0, True),
        ("viewer", 24 * 7 + 1, 0, False),
        ("viewer", 24 * 30 + 1, 0, True),
    ],
)
def test_s19_idle_twelve_hours_or_seven_days_old_is_over(
    role: str, age_hours: float, idle_hours: float, over: bool
) -> None:
    session, now = SessionStore(), START + timedelta(hours=age_hours)
    sessions.begin(session, now=START)
    sessions.touch(session, now=now - timedelta(hours=idle_hours))
    assert sessions.is_over(session, Somebody(role), now=now) is over


def test_a_session_without_its_marks_is_over() -> None:
    assert sessions.is_over(SessionStore(), Somebody("admin"), now=START)
    session = SessionStore()
    session["signed_in_at"] = session["seen_at"] = "yesterday"
    assert sessions.is_over(session, Somebody("admin"), now=START)


def test_use_is_noted_once_a_minute() -> None:
    session = SessionStore()
    sessions.begin(session, now=START)
    assert not sessions.touch(session, now=START + timedelta(seconds=60))
    assert sessions.touch(session, now=START + timedelta(seconds=61))
