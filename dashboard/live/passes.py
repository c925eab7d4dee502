"""Whether the person of an open socket may still look (docs/security.md S19, S20)."""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.utils.crypto import constant_time_compare

from collector import clock
from dashboard import sessions
from dashboard.access import Action, can
from dashboard.models import Person, Role


def still_open(session_key: str) -> bool:
    """Read the session and its person anew; a viewer's socket counts as use of the session. For a thread."""
    try:
        return _still_open(SessionStore(session_key))
    finally:
        connections.close_all()


def _still_open(session: SessionStore) -> bool:
    person_id = session.get(SESSION_KEY)
    person = Person.objects.filter(pk=person_id, is_active=True).first() if person_id else None
    if person is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), person.get_session_auth_hash()):
        return False
    now = clock.now()
    if not can(person, Action.VIEW) or sessions.is_over(session, person, now=now):
        return False
    if person.role != Role.VIEWER or not sessions.touch(session, now=now):
        return True
    try:
        session.save()
    except UpdateError:  # it was ended while we looked
        return False
    return True
