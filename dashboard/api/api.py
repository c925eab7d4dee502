"""The JSON API, version 1: the same questions as the pages, with bearer tokens. Its document: /api/v1/openapi.json."""

from ninja import NinjaAPI

from dashboard.api import dead_letters, events, health, topology
from dashboard.api.auth import Bearer
from dashboard.api.problems import answer_problems

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
api.add_router("", health.router)
api.add_router("", events.router)
api.add_router("", dead_letters.router)
answer_problems(api)
