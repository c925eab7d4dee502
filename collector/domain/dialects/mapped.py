"""A dead-letter topic whose headers no dialect reads, described by an admin: which header or JSON path says what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from collector.domain import json_paths, json_values, stacks
from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.dialects import values
from collector.domain.dialects.family import MOST_ATTEMPTS, MOST_OFFSET, MOST_PARTITION, application_class
from collector.domain.globs import matches
from collector.domain.json_paths import Path
from collector.domain.json_values import Json, NotJson
from collector.domain.records import Record

DIALECT = "mapping"
FIELDS = ("origin_topic", "origin_partition", "origin_offset", "group", "exception", "message", "stack", "attempts")
MOST_SOURCE = 250  # characters


class NotASource(ValueError):
    """A value is found by header:NAME, by a JSON path of the value ($.error.type), or is always =TEXT."""


@dataclass(frozen=True, slots=True)
class Source:
    """A header, else a path into the value, else a text that is always so."""

    header: str = ""
    path: Path = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class LetterMapping:
    """Topics (globs) that hold dead letters, and where their records say what. A field without a source is unknown."""

    topics: Sequence[str]
    sources: Mapping[str, Source] = field(default_factory=dict)

    def is_for(self, topic: str) -> bool:
        """Whether it describes this topic."""
        return matches(topic, self.topics)


def fitting(mappings: Iterable[LetterMapping], topic: str) -> LetterMapping | None:
    """What was said of this topic: of its name before what was said of a pattern."""
    found = [each for each in mappings if each.is_for(topic)]
    return next((each for each in found if topic in each.topics), found[0] if found else None)


def source(text: str) -> Source:
    """Where to look. Raises NotASource."""
    if len(text) > MOST_SOURCE:
        raise NotASource(NotASource.__doc__)
    if text.startswith("$"):
        try:
            return Source(path=json_paths.parse(text))
        except json_paths.NotAPath as error:
            raise NotASource(str(error)) from error
    kind, sign, rest = ("=", "=", text[1:]) if text.startswith("=") else text.partition(":")
    if not sign or not rest.strip() or kind not in {"=", "header"}:
        raise NotASource(NotASource.__doc__)
    return Source(text=rest.strip()) if kind == "=" else Source(header=rest.strip())


def read(mapping: LetterMapping, record: Record) -> DeadLetter:
    """What the record says by the mapping. Numbers may be text, JSON numbers, or Java's bytes."""
    tree = _tree(mapping, record)
    found = {name: _value(where, record, tree) for name, where in mapping.sources.items()}
    origin = Place(
        topic=values.topic(found.get("origin_topic")),
        partition=_number(found.get("origin_partition"), MOST_PARTITION),
        offset=_number(found.get("origin_offset"), MOST_OFFSET),
    )
    stack = values.text(found.get("stack"), values.MOST_STACK)
    named = values.text(found.get("exception"), values.MOST_CLASS)
    return DeadLetter(
        dialect=DIALECT,
        origin=origin,
        latest=origin,
        group=values.text(found.get("group"), values.MOST_GROUP) or None,
        exception_class=application_class([named], stacks.sections(stack)),
        message=values.text(found.get("message"), values.MOST_MESSAGE),
        stack=stack,
        attempts=_number(found.get("attempts"), MOST_ATTEMPTS),
        failed_at=record.produced_at,
    )


def _tree(mapping: LetterMapping, record: Record) -> Json:
    if not record.value or not any(where.path for where in mapping.sources.values()):
        return None
    try:
        return json_values.loads(record.value)
    except NotJson:
        return None


def _value(where: Source, record: Record, tree: Json) -> bytes | None:
    if where.header:
        wanted = where.header.lower()
        return next((value for name, value in reversed(record.headers) if name.lower() == wanted), None)
    if where.path:
        texts = (text for each in json_paths.found(tree, where.path) for text in json_values.leaves(each))
        return next((text.encode("utf-8", "replace") for text in texts), None)
    return where.text.encode()


def _number(value: bytes | None, most: int) -> int | None:
    found = values.either(value) if value else None
    return found if found is not None and 0 <= found <= most else None
