"""Who may do what: the whole truth table, and what a view without a permission comes to."""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from dashboard.access import Action, Bearer, Refused, can, needs

ALL = set(Action)
VIEWER = {Action.ENTER, Action.VIEW, Action.SEE_AUDIT}
OPERATOR = VIEWER | {
    Action.SEE_PAYLOADS,
    Action.RETRY,
    Action.TRIAGE,
    Action.ARRANGE,
    Action.KEEP_PATHS,
    Action.SET_LIMITS,
    Action.EXPORT,
}
NO_TOKEN = {Action.ARRANGE, Action.SET_LIMITS}  # only people do these, on pages


@dataclass
class Somebody:
    """A person without a database."""

    role: str
    is_active: bool = True
    is_authenticated: bool = True


def allowed(actor: object) -> set[Action]:
    return {action for action in Action if can(actor, action)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        (None, {Action.ENTER}),
        (AnonymousUser(), {Action.ENTER}),
        (Somebody("viewer"), VIEWER),
        (Somebody("operator"), OPERATOR),
        (Somebody("admin"), ALL),
        (Somebody("admin", is_active=False), {Action.ENTER}),
        (Somebody("owner"), {Action.ENTER}),
        (Bearer(Somebody("admin"), frozenset(), "a"), {Action.ENTER}),
        (Bearer(Somebody("admin"), frozenset({"read"}), "a"), VIEWER),
        (Bearer(Somebody("admin"), frozenset({"read", "retry", "payload", "export"}), "a"), OPERATOR - NO_TOKEN),
        (Bearer(Somebody("viewer"), frozenset({"read", "retry", "payload", "admin"}), "a"), VIEWER),
        (Bearer(Somebody("operator"), frozenset({"retry"}), "a"), {Action.ENTER, Action.RETRY, Action.TRIAGE}),
        (Bearer(Somebody("admin", is_active=False), frozenset({"read"}), "a"), {Action.ENTER}),
        (Bearer(Somebody("admin"), frozenset({"ingest", "everything"}), "a"), {Action.ENTER}),
    ],
)
def test_s27_every_actor_may_do_exactly_this(actor: object, expected: set[Action]) -> None:
    assert allowed(actor) == expected


@needs(Action.VIEW, post=Action.RETRY)
def page(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("shown")


def asked(method: str, person: object, **headers: str) -> HttpRequest:
    request = RequestFactory().generic(method, "/topics/?from=now-1h", headers=headers)
    request.user = person  # type: ignore[assignment]
    return request


def test_a_viewer_may_look_and_may_not_post() -> None:
    assert page(asked("GET", Somebody("viewer"))).content == b"shown"
    with pytest.raises(Refused, match="Retry needs the operator role"):
        page(asked("POST", Somebody("viewer")))


def test_a_refusal_leaves_its_action_on_the_request_for_the_audit_log() -> None:
    request = asked("POST", Somebody("viewer"))
    with pytest.raises(Refused):
        page(request)
    assert vars(request)["refused"] is Action.RETRY


def test_signed_out_a_page_leads_to_the_login_and_back_to_the_full_address() -> None:
    assert page(asked("GET", AnonymousUser()))["Location"] == "/login/?next=/topics/%3Ffrom%3Dnow-1h"


def test_signed_out_a_post_is_not_repeated_after_the_login() -> None:
    assert page(asked("POST", AnonymousUser()))["Location"] == "/login/"


def test_signed_out_a_scripts_fetch_is_told_so_instead_of_getting_the_login_page() -> None:
    assert page(asked("GET", AnonymousUser(), **{"Sec-Fetch-Dest": "empty"})).status_code == 401


def test_an_asynchronous_view_cannot_be_decorated() -> None:
    async def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(TypeError, match="asynchronous"):
        needs(Action.VIEW)(view)
