"""The JSON API, version 1: the same questions as the pages, with bearer tokens. Its document: /api/v1/openapi.json."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from dashboard.api import (
    dead_letters,
    events,
    health,
    letter_mappings,
    lookups,
    retries,
    services,
    time_machine,
    topology,
)
from dashboard.api.auth import Bearer
from dashboard.api.problems import answer_problems

View = Callable[[HttpRequest], HttpResponse]


def _made_once(view: View) -> View:
    """The document is open to everybody, as it names no data: it must cost nothing to ask for it."""
    made: list[bytes] = []

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if not made:
            made.append(view(request).content)
        return HttpResponse(made[0], content_type="application/json")

    return answer


api = NinjaAPI(
    title="Weir",
    version="1.0",
    description="How events flow between microservices on Kafka. Every operation needs a token: "
    "`manage.py create_token NAME --role operator`, sent as `Authorization: Bearer …`.",
    docs_url=None,
    auth=Bearer(),
    urls_namespace="api",
)
api.add_router("", topology.router)
api.add_router("", time_machine.router)
api.add_router("", services.router)
api.add_router("", health.router)
api.add_router("", events.router)
api.add_router("", dead_letters.router)
api.add_router("", letter_mappings.router)
api.add_router("", retries.router)
api.add_router("", lookups.router)
answer_problems(api)
