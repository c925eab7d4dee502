"""Looks into topics, asked for and shown: each is written down, whether a page or the API lets somebody look."""

from typing import Any

from django.http import HttpRequest

from collector.clock import now
from collector.domain.lookups import Question
from collector.lookups import requests
from dashboard.access import Bearer, actor_of
from dashboard.audit import recorded
from dashboard.queries import lookups as queries
from dashboard.queries.hiding import NO_FIELDS, Lifted
from dashboard.queries.lookups import Lookup, Seen


def ask(request: HttpRequest, cluster: str, topic: str, topic_id: int, question: Question) -> int:
    """Ask in the name of who sent the request; the number of what was asked. Raises TooMany, which is written down.

    Of words only how many characters and where: the audit log stays, and they may be somebody's name.
    """
    with recorded("sample payloads", request, object=f"{cluster}/{topic}") as deed:
        facts = question.as_plain()
        if words := facts.pop("words"):
            facts["words_length"] = len(words)
        else:
            del facts["within"]
        deed.facts |= {name: value for name, value in facts.items() if value not in (None, {})}
        return requests.ask(person_id=_person(request), topic_id=topic_id, question=question, now=now())


def find(request: HttpRequest, number: int) -> Lookup | None:
    """One of this person's own samples, or None."""
    return queries.lookup(number, _person(request), now=now())


def find_all(request: HttpRequest, topic_id: int) -> tuple[Lookup, ...]:
    """This person's samples of a topic, newest first."""
    return queries.lookups(topic_id, _person(request), now=now())


def look(
    request: HttpRequest, found: Lookup, *, lifted: Lifted = NO_FIELDS, place: int | None = None
) -> tuple[Seen, ...]:
    """Its records, or one of them, for who may see payloads; written down first."""
    with recorded("see payload", request, object=name_of(found)) as deed:
        seen = queries.records(found, lifted=lifted, place=place)
        deed.facts["records"] = len(seen)
    return seen


def name_of(found: Lookup) -> str:
    """As the audit log names it."""
    return f"sample {found.id} of {found.cluster}/{found.topic}"


def _person(request: HttpRequest) -> int:
    actor = actor_of(request)
    person: Any = actor.person if isinstance(actor, Bearer) else actor
    return int(person.pk)
