"""A look into a topic: asked here, read by a worker, shown for ten minutes to who asked."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain import lookups as domain
from collector.domain.lookups import Question
from collector.lookups.requests import TooMany
from dashboard import samples, shell, unmasking
from dashboard.access import Action, can, needs
from dashboard.crowding import heavy
from dashboard.forms import SampleForm
from dashboard.payloads import Readable, ReadableHeaders, readable, readable_headers
from dashboard.queries.health import is_working
from dashboard.queries.lookups import Lookup, Seen, topics_of
from dashboard.queries.topics import number_of

MOST_NAME = 300
MOST_GLANCE = 300  # characters of a value before it is opened
N_COURSES = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """One record, as a person reads it."""

    seen: Seen
    key: Readable
    value: Readable
    headers: ReadableHeaders | None

    @property
    def glance(self) -> str:
        """The beginning of its value, on one line."""
        return " ".join(self.value.text[:MOST_GLANCE].split())


@needs(Action.SEE_PAYLOADS)
@require_http_methods(["GET", "HEAD", "POST"])
def ask_page(request: HttpRequest) -> HttpResponse:
    """The form; POST asks, and leads to where the answer comes."""
    said = request.POST if request.method == "POST" else request.GET
    cluster, name = (said.get(field, "")[:MOST_NAME] for field in ("cluster", "topic"))
    number = number_of(cluster, name)
    if number is None:
        raise Http404(f"There is no topic {name} on {cluster}.")
    if request.method != "POST":
        form = SampleForm(initial={"start": "newest"})
        return _form(request, cluster, name, form)
    question, form = _question(request, number), SampleForm(request.POST)
    if question is None and not form.is_valid():
        return _form(request, cluster, name, form, status=400)
    try:
        made = samples.ask(request, cluster, name, number, question or form.question)
    except TooMany as refusal:
        return _form(request, cluster, name, form, error=str(refusal), status=409)
    return HttpResponseRedirect(reverse("lookup", args=[made]))


def _question(request: HttpRequest, topic_id: int) -> Question | None:
    """How an earlier question of this person to this topic goes on, where it is named. Raises Http404."""
    after = request.POST.get("after", "")
    if not after:
        return None
    before = samples.find(request, int(after)) if after.isascii() and after.isdigit() and len(after) < 19 else None
    if before is None or before.topic_id != topic_id or before.onward is None:
        raise Http404("It was kept for ten minutes. Ask anew.")
    return before.onward


@needs(Action.SEE_PAYLOADS)
@heavy
def lookup_page(request: HttpRequest, number: int) -> HttpResponse:
    """One question and what came of it, or with `place` one record of it whole; each look is written down."""
    found = samples.find(request, number)
    if found is None:
        raise Http404("There is no such sample: it was kept for ten minutes, for who asked.")
    facts: dict[str, Any] = {"lookup": found, "limits": domain, **_stand(found)}
    if found.answered_at and not found.trouble:
        facts |= _answer(request, found)
    crumbs = [
        shell.Crumb("Topics", reverse("topics")),
        shell.Crumb(found.topic, f"{reverse('topic', args=[found.cluster, found.topic])}?tab=events"),
        shell.Crumb("Sample"),
    ]
    streams = " " if facts.get("is_waiting") else ""  # what was read does not grow old
    return shell.page(
        request, "lookups/lookup.html", facts, section="topics", crumbs=crumbs, streams=streams, about=[found.cluster]
    )


def _stand(found: Lookup) -> dict[str, Any]:
    """What is said while nobody has answered."""
    if found.answered_at:
        return {}
    return {"is_waiting": True, "is_working": is_working(now())}


def _answer(request: HttpRequest, found: Lookup) -> dict[str, Any]:
    text = request.GET.get("place", "")
    place = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
    what = unmasking.view(request, now=now()) if place is not None else unmasking.View()  # never in the list
    if what.granted:
        what = unmasking.noted(request, what.of(topics_of(found.id)), samples.name_of(found))
    seen = samples.look(request, found, lifted=what.lifted, place=place)
    if place is not None and not seen:
        raise Http404("There is no such record in this sample.")
    topics = tuple(dict.fromkeys(topic for each in seen for topic in each.maskable))
    rules = tuple(dict.fromkeys(rule for each in seen for rule in each.rules))
    form = request.GET.get("form", "") if place is not None and not seen[0].is_masked else ""
    return {
        "shown": [_shown(each, form) for each in seen],
        "place": place,
        "form": form,
        "masked_by": rules,
        "masks": {"topics": topics, "unmasked": what.granted, "may": can(request.user, Action.UNMASK)},
        "ran_out": any(course.why is domain.Why.TIME for course in found.courses),
        "courses": found.courses[:N_COURSES],
        "n_more_courses": max(0, len(found.courses) - N_COURSES),
    }


def _shown(seen: Seen, form: str) -> Shown:
    headers = None if seen.headers is None else readable_headers(seen.headers)
    return Shown(seen, readable(seen.key), readable(seen.value, n_bytes=seen.n_value_bytes, form=form), headers)


def _form(
    request: HttpRequest, cluster: str, name: str, form: SampleForm, *, error: str = "", status: int = 200
) -> HttpResponse:
    facts = {"cluster": cluster, "name": name, "form": form, "error": error, "limits": domain}
    crumbs = [
        shell.Crumb("Topics", reverse("topics")),
        shell.Crumb(name, f"{reverse('topic', args=[cluster, name])}?tab=events"),
        shell.Crumb("Sample"),
    ]
    return shell.page(
        request, "lookups/ask.html", facts, section="topics", crumbs=crumbs, about=[cluster], status=status
    )


urlpatterns = [
    path("lookups/", ask_page, name="lookups"),
    path("lookups/<int:number>/", lookup_page, name="lookup"),
]
