"""What an admin sees unmasked for a while: fields of a topic, for a reason, in one session (docs/security.md S36).

Asking is written down and committed before anything is shown, and so is each look. An API token never unmasks.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from dashboard.access import Action, can
from dashboard.audit import recorded

LASTS = timedelta(minutes=15)
_HELD = "unmasked"
_MOST = 20  # topics at once


@dataclass(frozen=True, slots=True)
class Unmasked:
    """Fields of one topic that this session sees until then, by the names of collector.domain.mask_fields."""

    topic: str
    fields: tuple[str, ...]
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class View:
    """What a request may see unmasked of some topics. Empty where nothing is."""

    granted: tuple[Unmasked, ...] = ()

    def of(self, topics: Collection[str]) -> "View":
        """What of it is about these topics."""
        return View(tuple(each for each in self.granted if each.topic in topics))

    @property
    def lifted(self) -> Mapping[str, Collection[str]]:
        """As the queries take it."""
        return {each.topic: each.fields for each in self.granted}


def unmask(request: HttpRequest, topic: str, fields: Collection[str], *, reason: str, now: datetime) -> None:
    """From now on this session sees these fields of the topic, and no others of it; the audit log says so first."""
    until = now + LASTS
    with recorded("unmask", request, object=f"topic {topic}", reason=reason) as deed:
        deed.facts |= {"fields": sorted(fields), "until": until.isoformat()}
    kept = [each for each in _all(request.session, now=now) if each.topic != topic][: _MOST - 1]
    _hold(request.session, [*kept, Unmasked(topic, tuple(sorted(fields)), reason, until)])


def mask_again(request: HttpRequest, topic: str, *, now: datetime) -> None:
    """This session sees nothing unmasked of the topic any more."""
    with recorded("mask again", request, object=f"topic {topic}"):
        _hold(request.session, [each for each in _all(request.session, now=now) if each.topic != topic])


def view(request: HttpRequest, *, now: datetime) -> View:
    """What this session may see unmasked now; who is no admin any more sees nothing."""
    return View(tuple(_all(request.session, now=now))) if can(request.user, Action.UNMASK) else View()


def noted(request: HttpRequest, what: View, place: str) -> View:
    """The same, after the look at `place` is written down: committed before a value is read."""
    if what.granted:
        reasons = "; ".join(dict.fromkeys(each.reason for each in what.granted))
        with recorded("see unmasked", request, object=place, reason=reasons) as deed:
            deed.facts["fields"] = {each.topic: list(each.fields) for each in what.granted}
    return what


def _all(session: SessionBase, *, now: datetime) -> list[Unmasked]:
    held: list[dict[str, Any]] = session.get(_HELD, [])
    found = [
        Unmasked(each["topic"], tuple(each["fields"]), each["reason"], datetime.fromisoformat(each["until"]))
        for each in held
    ]
    return [each for each in found if now < each.until]


def _hold(session: SessionBase, granted: Collection[Unmasked]) -> None:
    session[_HELD] = [
        {"topic": each.topic, "fields": list(each.fields), "reason": each.reason, "until": each.until.isoformat()}
        for each in granted
    ]
