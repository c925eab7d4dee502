"""Say where dead letters came from: which header or JSON path of a topic's records means what, tried on real ones."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from collector.clock import now
from collector.config import declared, letter_mappings
from collector.config.document import read
from collector.domain.dialects import LetterMapping, mapped
from dashboard import shell
from dashboard.access import Action, needs
from dashboard.audit import recorded
from dashboard.queries.letter_mappings import MOST_TOPICS, is_known, nameable, places, previews, samples

WORDS = {
    "origin_topic": "Topic it came from",
    "origin_partition": "Its partition",
    "origin_offset": "Its offset",
    "group": "Consumer group that failed",
    "exception": "Exception class",
    "message": "Message",
    "stack": "Stack trace",
    "attempts": "Attempts",
}


@needs(Action.DESCRIBE)
@require_safe
def letter_mapping_list(request: HttpRequest) -> HttpResponse:
    """Topics that are described, and a field to name another one; `topic=cluster/name` leads to its page."""
    cluster, _, topic = request.GET.get("topic", "").partition("/")
    if topic and is_known(cluster, topic):
        return HttpResponseRedirect(reverse("letter_mapping", args=[cluster, topic]))
    document, _ = read(declared.body())
    facts = {
        "mappings": sorted(document.letters.items()),
        "topics": nameable(),
        "typed": request.GET.get("topic", ""),
        "most": MOST_TOPICS,
    }
    crumbs = [shell.Crumb("Dead letters", reverse("dead_letters")), shell.Crumb("Where they came from")]
    return shell.page(request, "letter_mappings/topics.html", facts, section="dead_letters", crumbs=crumbs)


@needs(Action.DESCRIBE)
@require_http_methods(["GET", "HEAD", "POST"])
def letter_mapping(request: HttpRequest, cluster: str, topic: str) -> HttpResponse:
    """GET shows what stands, tried on the newest records. POST tries (`do=try`), saves, or takes it away."""
    if not is_known(cluster, topic):
        raise Http404(f"There is no topic {topic}.")
    own = declared.body().get(declared.KIND_OF_LETTERS, {}).get(letter_mappings.named(topic))
    if request.method != "POST":
        return _page(request, cluster, topic, own=own, typed=own or {})
    typed = {name: request.POST.get(name, "").strip()[: mapped.MOST_SOURCE] for name in mapped.FIELDS}
    try:
        table = None if request.POST.get("do") == "remove" else letter_mappings.checked(topic, typed)
    except letter_mappings.Wrong as wrong:
        return _page(request, cluster, topic, own=own, typed=typed, wrong=wrong)
    if request.POST.get("do") == "try":
        return _page(request, cluster, topic, own=own, typed=typed)
    with recorded("describe dead letters", request, object=f"topic {topic}") as deed:
        changes = letter_mappings.save(topic, table, by=str(request.user), now=now())
        deed.reason = (
            "taken away" if table is None else ", ".join(f"{name} = {text}" for name, text in typed.items() if text)
        )
        deed.facts["changes"] = [f"{change.sign}{change.table}" for change in changes]
    return HttpResponseRedirect(reverse("dead_letters"))


def _page(
    request: HttpRequest,
    cluster: str,
    topic: str,
    *,
    own: Mapping[str, Any] | None,
    typed: Mapping[str, Any],
    wrong: letter_mappings.Wrong | None = None,
) -> HttpResponse:
    found = samples(cluster, topic)
    problems = {problem.where[-1]: problem.sentence for problem in wrong.problems} if wrong else {}
    fields = [(name, WORDS[name], str(typed.get(name, "")), problems.get(name, "")) for name in mapped.FIELDS]
    facts = {
        "topic": topic,
        "own": own,
        "other": None if own else _other(topic),
        "fields": fields,
        "places": places(found),
        "previews": () if wrong else previews(found, _mapping(topic, typed)),
        "n_samples": len(found),
        "lines": letter_mappings.as_toml(topic, {name: text for name, _, text, _ in fields if text}),
    }
    crumbs = [
        shell.Crumb("Dead letters", reverse("dead_letters")),
        shell.Crumb(topic),
        shell.Crumb("Where they came from"),
    ]
    return shell.page(
        request, "letter_mappings/letter_mappings.html", facts, section="dead_letters", crumbs=crumbs,
        status=400 if wrong else 200,
    )  # fmt: skip


def _mapping(topic: str, typed: Mapping[str, Any]) -> LetterMapping | None:
    """What the fields say; None where they say nothing: then the dialects are shown."""
    sources = {name: mapped.source(str(typed[name])) for name in mapped.FIELDS if typed.get(name)}
    return LetterMapping((topic,), sources) if sources else None


def _other(topic: str) -> str:
    """The name of a table of the settings file that describes the topic by a pattern, or ""."""
    document, _ = read(declared.body())
    return next((name for name, each in document.letters.items() if each.is_for(topic)), "")


urlpatterns = [
    path("dead-letters/mappings/", letter_mapping_list, name="letter_mappings"),
    path("dead-letters/mappings/<segment:cluster>/<segment:topic>/", letter_mapping, name="letter_mapping"),
]
