"""Answers about dead letters. `topic` and `group` are ids as in the graph."""

from typing import Literal

from ninja import Field, Schema

LetterStatus = Literal["open", "retry_requested", "sent", "unknown", "processed", "passed", "archived"]


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
