"""Every deed of a person goes through `recorded`; every refusal is noted when its answer leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from collector import audit, clock
from dashboard.access import Action, Bearer, Refused, actor_of


@dataclass(slots=True)
class Deed:
    """What the row will say; the deed may name its object and add facts while it runs."""

    object: str = ""
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(action: str, request: HttpRequest, *, object: str = "", reason: str = "") -> Iterator[Deed]:
    """Run the deed and its audit row in one transaction: neither is there without the other.

    A deed that raises is rolled back and noted as failed, a Refused as refused; the exception goes on.
    """
    deed = Deed(object, reason)
    try:
        with transaction.atomic():
            yield deed
            _append(action, request, deed, "done")
    except Refused:
        _append(action, request, deed, "refused")
        raise
    except Exception as error:
        deed.facts["error"] = type(error).__name__
        _append(action, request, deed, "failed")
        raise


class RecordRefusals:
    """Middleware: what `access.needs` refused, on a page or in the API, becomes a row."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, after the row is written."""
        response = self._get_response(request)
        action = getattr(request, "refused", None)
        if isinstance(action, Action):
            _append(action.value, request, Deed(request.path[:200], f"{request.method} refused"), "refused")
        return response


def _append(action: str, request: HttpRequest, deed: Deed, result: audit.Result) -> None:
    actor = actor_of(request)
    person = actor.person if isinstance(actor, Bearer) else actor
    facts = {**deed.facts, "token": actor.public_id} if isinstance(actor, Bearer) else deed.facts
    audit.append(
        at=clock.now(),
        person_id=getattr(person, "pk", None),
        person_name=str(person) if person.is_authenticated else "nobody",
        action=action,
        object=deed.object,
        result=result,
        reason=deed.reason,
        address=address_of(request),
        facts=facts,
    )


def address_of(request: HttpRequest) -> str:
    """The client's address as the guard found it."""
    return str(request.META.get("REMOTE_ADDR", ""))
