"""Whose sockets may be open: many sessions are looked at in one go (docs/security.md S19, S20)."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, connections
from django.utils.crypto import constant_time_compare

from collector import clock
from dashboard import sessions
from dashboard.access import Action, can
from dashboard.models import Person, Role

Owners = Callable[[Collection[str]], Mapping[str, int]]
"""By session key the number of the person who may look; the others are left out. Blocks."""


class Turnstile:
    """A thousand pages that come back at once cost as many statements as one. On one event loop."""

    def __init__(self, look: Owners) -> None:
        self._look = look
        self._waiting: dict[str, asyncio.Future[int | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def owner(self, key: str) -> int | None:
        """The person behind a session, read after this call; None where nobody may look. Raises what `look` raises."""
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        found = self._waiting[key]
        if self._task is None:
            self._task = asyncio.create_task(self._turn())
        return await asyncio.shield(found)

    async def _turn(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            results = await asyncio.gather(asyncio.to_thread(self._look, list(batch)), return_exceptions=True)
            for key, future in batch.items():
                if isinstance(results[0], BaseException):
                    future.set_exception(results[0])
                    future.exception()  # known here: whoever asked may have gone
                else:
                    future.set_result(results[0].get(key))
        self._task = None


def owners(keys: Collection[str]) -> dict[str, int]:
    """Read sessions and their people anew; a viewer's open socket counts as use. Three statements. For a thread."""
    try:
        return _owners(keys, now=clock.now())
    finally:
        connections.close_all()


def _owners(keys: Collection[str], *, now: datetime) -> dict[str, int]:
    store = SessionStore()
    with connection.cursor() as cursor:
        cursor.execute(
            "select session_key, session_data from django_session where session_key = any(%s) and expire_date > %s",
            [list(keys), now],
        )
        stored = dict(cursor.fetchall())
    opened = {key: store.decode(text) for key, text in stored.items()}
    people = _people({text for body in opened.values() if (text := body.get(SESSION_KEY))})
    found, used = {}, {}
    for key, body in opened.items():
        person = people.get(body.get(SESSION_KEY, ""))
        if person is None or not _may_look(person, body, now=now):
            continue
        found[key] = person.pk
        if person.role == Role.VIEWER and sessions.touch(body, now=now, every=sessions.SEEN_BY_SOCKET):
            used[key] = (stored[key], store.encode(body))
    _save(used)
    return found


def _people(ids: Collection[str]) -> dict[str, Person]:
    wanted = [int(text) for text in ids if text.isdigit()]
    people = Person.objects.raw("select * from dashboard_person where id = any(%s) and is_active", [wanted])
    return {str(person.pk): person for person in people}


def _may_look(person: Person, body: Mapping[str, object], *, now: datetime) -> bool:
    return (
        body.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and constant_time_compare(str(body.get(HASH_SESSION_KEY, "")), person.get_session_auth_hash())
        and can(person, Action.VIEW)
        and not sessions.is_over(body, person, now=now)
    )


def _save(used: Mapping[str, tuple[str, str]]) -> None:
    """Only where nobody wrote meanwhile: a session that was ended stays ended, what a page noted stays noted."""
    if not used:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "update django_session s set session_data = n.after from jsonb_to_recordset(%s::jsonb)"
            " n (key text, before text, after text) where s.session_key = n.key and s.session_data = n.before",
            [json.dumps([{"key": key, "before": before, "after": after} for key, (before, after) in used.items()])],
        )
