"""The bytes of an event as a file."""

import re

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from collector.clock import now
from dashboard import unmasking
from dashboard.access import Action, needs
from dashboard.audit import recorded
from dashboard.queries.events import payload, topics_of


@needs(Action.SEE_PAYLOADS)
def payload_page(request: HttpRequest, cluster: str, topic: str, partition: int, offset: int) -> HttpResponse:
    """The value as it lies in Kafka, where no mask rule is meant for it, or all of it is unmasked."""
    place = f"{cluster}/{topic}/{partition}/{offset}"
    what = unmasking.view(request, now=now())
    if what.granted:
        what = unmasking.noted(request, what.of(topics_of(cluster, topic, partition, offset)), place)
    with recorded("download payload", request, object=place):
        held = payload(cluster, topic, partition, offset, lifted=what.lifted)
        if held is None or held.value is None:
            raise Http404(f"Weir holds no value of {topic}/{partition}/{offset}.")
        if held.is_masked:
            raise PermissionDenied("Mask rules are meant for this topic: its values can be looked at, not downloaded.")
    name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{topic}-{partition}-{offset}")
    headers = {"Content-Disposition": f'attachment; filename="{name}.bin"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(held.value, content_type="application/octet-stream", headers=headers)


urlpatterns = [
    path(
        "events/<segment:cluster>/<segment:topic>/<int:partition>/<int:offset>/payload",
        payload_page,
        name="event_payload",
    ),
]
