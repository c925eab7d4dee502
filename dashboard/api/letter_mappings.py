"""What an admin says of a dead-letter topic that no dialect reads: looked at, tried on real records, saved."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from collector.clock import now
from collector.config import declared, letter_mappings
from collector.domain import identities
from collector.domain.dialects import LetterMapping, mapped
from dashboard.access import Action, actor_of, needs
from dashboard.api import letter_schemas as schemas
from dashboard.api.auth import Bearer
from dashboard.api.problems import NotFound, Unprocessable
from dashboard.audit import recorded
from dashboard.queries import letter_mappings as queries

router = Router(tags=["dead letters"])
MAY_DESCRIBE = Bearer(Action.DESCRIBE)
_ADDRESS = "dead-letter-mappings/{segment:cluster}/{segment:topic}"


@router.get(_ADDRESS, response=schemas.LetterMappingAnswer)
@needs(Action.DESCRIBE)
def read_letter_mapping(request: HttpRequest, cluster: str, topic: str) -> dict[str, Any]:
    """What stands, and how the newest letters are read by it."""
    _need(cluster, topic)
    table = declared.body().get(declared.KIND_OF_LETTERS, {}).get(letter_mappings.named(topic)) or {}
    return _answer(cluster, topic, {name: str(table[name]) for name in mapped.FIELDS if table.get(name)})


@router.post(f"{_ADDRESS}/preview", auth=MAY_DESCRIBE, response=schemas.LetterMappingAnswer)
@needs(Action.DESCRIBE)
def try_letter_mapping(request: HttpRequest, cluster: str, topic: str, wanted: schemas.LetterSources) -> dict[str, Any]:
    """How the newest letters would be read; nothing is saved."""
    _need(cluster, topic)
    sources = _checked(topic, wanted)
    return _answer(cluster, topic, sources)


@router.put(_ADDRESS, auth=MAY_DESCRIBE, response=schemas.LetterMappingAnswer)
@needs(Action.DESCRIBE)
def save_letter_mapping(
    request: HttpRequest, cluster: str, topic: str, wanted: schemas.LetterSources
) -> dict[str, Any]:
    """Let the topic be described so: its letters, also the stored ones, are read again."""
    _need(cluster, topic)
    sources = _checked(topic, wanted)
    if not sources:
        raise Unprocessable("Say at least where one thing is, or DELETE the mapping.")
    said = ", ".join(f"{name} = {text}" for name, text in sources.items())
    _save(request, topic, letter_mappings.checked(topic, sources), said=said)
    return _answer(cluster, topic, sources)


@router.delete(_ADDRESS, response=schemas.LetterMappingAnswer)
@needs(Action.DESCRIBE)
def remove_letter_mapping(request: HttpRequest, cluster: str, topic: str) -> dict[str, Any]:
    """The topic is not described any more."""
    _need(cluster, topic)
    _save(request, topic, None, said="taken away")
    return _answer(cluster, topic, {})


def _need(cluster: str, topic: str) -> None:
    if not queries.is_known(cluster, topic):
        raise NotFound(f"There is no topic {topic}.")


def _checked(topic: str, wanted: schemas.LetterSources) -> dict[str, str]:
    sources = {name: text.strip() for name, text in wanted.dict().items() if text.strip()}
    try:
        letter_mappings.checked(topic, sources)
    except letter_mappings.Wrong as wrong:
        raise Unprocessable(str(wrong)) from wrong
    return sources


def _save(request: HttpRequest, topic: str, table: declared.Body | None, *, said: str) -> None:
    holder: Any = actor_of(request)
    with recorded("describe dead letters", request, object=f"topic {topic}", reason=said) as deed:
        changes = letter_mappings.save(topic, table, by=str(holder.person), now=now())
        deed.facts["changes"] = [f"{change.sign}{change.table}" for change in changes]


def _answer(cluster: str, topic: str, sources: dict[str, str]) -> dict[str, Any]:
    found = queries.samples(cluster, topic)
    read = {name: mapped.source(text) for name, text in sources.items()}
    previews = queries.previews(found, LetterMapping((topic,), read) if read else None)
    return {
        "topic": identities.topic_id(cluster, topic),
        "sources": sources,
        "settings": letter_mappings.as_toml(topic, sources) if sources else "",
        "places": queries.places(found),
        "previews": [
            {
                "dead_letter": each.id,
                "address": each.address,
                "origin": each.origin,
                "group": each.group,
                "exception": each.exception_class,
                "message": each.message,
                "is_complete": each.is_complete,
            }
            for each in previews
        ],
    }
