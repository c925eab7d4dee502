"""Answers about dead letters and retries. `topic`, `group` and `target` are ids as in the graph."""

from typing import Annotated, Literal

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


class RetryRequest(Schema):
    """Dead letters to send once each. `expect`, how many will be sent, is needed above 100."""

    dead_letters: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field(min_length=1, max_length=100_000)
    target: str | None = Field(None, max_length=600)
    expect: int | None = Field(None, ge=1)


class RetryAccepted(Schema):
    """The operation that a request made, or had made before."""

    id: int
    url: str


class RetryItem(Schema):
    """One letter of an operation: where its copy went and what came of it."""

    dead_letter: int
    status: str
    sent: Place | None
    outcome: str | None
    reason: str
    evidence: list[str]


class RetryAnswer(Schema):
    """One operation; `next` continues its items (parameter `after`)."""

    id: int
    url: str
    status: str
    created_at: str
    items: list[RetryItem]
    next: str | None
    truncated: bool
