"""Answers about dead letters. `topic` and `group` are ids as in the graph."""

from typing import Annotated, Literal

from ninja import Field, Schema

from collector.domain.dialects.mapped import MOST_SOURCE

LetterStatus = Literal["open", "retry_requested", "sent", "no_answer", "unknown", "processed", "passed", "archived"]


class Place(Schema):
    """The address of one record; None where the letter does not tell it."""

    topic: str | None
    partition: int | None
    offset: int | None


class Raised(Schema):
    """What the consumer failed with."""

    class_: str = Field(alias="class")
    message: str


class DeadLetter(Schema):
    """A record that a consumer gave up on. `attempt` counts deaths; `key` is None without one that is text."""

    id: int
    url: str
    topic: str
    partition: int
    offset: int
    key: str | None
    failed_at: str
    expires_at: str | None
    original: Place
    group: str | None
    exception: Raised
    dialect: str
    failure_group: int
    status: LetterStatus
    attempt: int


class DeadLetterList(Schema):
    """Newest first; `next` continues it (parameter `after`)."""

    items: list[DeadLetter]
    next: str | None
    truncated: bool


Source = Annotated[str, Field(max_length=MOST_SOURCE)]


class LetterSources(Schema):
    """Where a topic's records say what: `header:NAME`, a JSON path of the value, or always `=TEXT`; "" for nowhere."""

    origin_topic: Source = ""
    origin_partition: Source = ""
    origin_offset: Source = ""
    group: Source = ""
    exception: Source = ""
    message: Source = ""
    stack: Source = ""
    attempts: Source = ""


class LetterPreview(Schema):
    """How a stored letter is read by a mapping. Texts are what mask rules leave to be seen."""

    dead_letter: int
    address: str
    origin: str | None
    group: str | None
    exception: str
    message: str
    is_complete: bool


class LetterMappingAnswer(Schema):
    """A mapping, its lines for a settings file, and how the newest letters of the topic are read by it.

    `places`: where values can be found in them.
    """

    topic: str
    sources: dict[str, str]
    settings: str
    places: list[str]
    previews: list[LetterPreview]
