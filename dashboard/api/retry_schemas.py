"""Requests and answers about retries. `target` is a topic's id as in the graph, or its name."""

from typing import Annotated, Literal

from ninja import Field, Schema

from dashboard.api.letter_schemas import Place

Deed = Literal["pause", "resume", "continue", "cancel"]


class SendingRequest(Schema):
    """How it is sent: in steps that wait for their outcomes, at a rate; it stops by itself at so many failures."""

    rate_per_second: float = Field(500, ge=0.1, le=500)
    steps: list[int] = Field([], max_length=10)
    wait_seconds: int = Field(120, ge=5, le=3600)
    asks_after_first: bool = False
    stop_first: int = Field(1, ge=1, le=100_000)
    stop_percent: float = Field(5, ge=0, le=100)
    one_per_key: bool = False


class RetryRequest(Schema):
    """Dead letters to send once each, or the open ones of a failure group, or those that match a filter.

    `expect`, how many will be sent, is needed above 100, and where nobody saw whether newer events of a letter's key
    were processed. Where that is known such letters are left out, unless `newer` is "send".
    """

    dead_letters: list[Annotated[int, Field(ge=1, lt=2**63)]] = Field([], max_length=100_000)
    failure_group: int | None = Field(None, ge=1, lt=2**63)
    matching: str | None = Field(None, max_length=400)
    target: str | None = Field(None, max_length=600)
    expect: int | None = Field(None, ge=1)
    newer: Literal["leave_out", "send"] = "leave_out"
    name: str = Field("", max_length=100)
    sending: SendingRequest | None = None


class RetryAccepted(Schema):
    """The operation that a request made, or had made before."""

    id: int
    url: str


class RetryItem(Schema):
    """One letter of an operation: where its copy went and what came of it.

    `in_retry`: which delivery by its group's own retries it waits for.
    """

    dead_letter: int
    status: str
    sent: Place | None
    outcome: str | None
    reason: str
    evidence: list[str]
    in_retry: int | None


class RetryCounts(Schema):
    """How many letters stand where. `open`: no outcome yet; `silent`: none within the wait."""

    items: int
    sent: int
    processed: int
    passed: int
    failed_again: int
    open: int
    silent: int
    unknown: int
    not_sent: int


class RetryStep(Schema):
    """One step of a retry in steps."""

    number: int
    events: int
    sent: int
    stand: Literal["passed", "sends", "waits", "not_begun"]


class RetryAnswer(Schema):
    """One operation; `next` continues its items (parameter `after`)."""

    id: int
    url: str
    status: str
    name: str
    reason: str
    waits_for_person: bool
    created_at: str
    counts: RetryCounts
    steps: list[RetryStep]
    items: list[RetryItem]
    next: str | None
    truncated: bool
