"""Looks into topics: what is asked, and the answer."""

from typing import Annotated, Literal

from ninja import Field, Schema

from collector.clock import now
from collector.domain.lookups import MOST_MATCHES, MOST_WORDS, Question
from dashboard.queries.window import moment

Partition = Annotated[int, Field(ge=0, lt=2**31)]
Offset = Annotated[int, Field(ge=0, lt=2**63)]


class LookupRequest(Schema):
    """Where to begin, and what the records must hold as it is written there. `at`: 2026-11-23T13:40:00Z, or now-1h.

    `after`: a lookup of the same topic that is to go on from where it stopped; nothing else counts then.
    """

    start: Literal["newest", "moment", "offset"] = "newest"
    at: Annotated[str, Field(max_length=40)] | None = None
    partition: Partition | None = None
    offset: Offset | None = None
    words: Annotated[str, Field(max_length=MOST_WORDS)] = ""
    within: Literal["any", "key", "value", "headers"] = "any"
    limit: Annotated[int, Field(ge=1, le=MOST_MATCHES)] = MOST_MATCHES
    after: Offset | None = None

    def question(self) -> Question | None:
        """None where a part of it is missing. Raises BadWindow."""
        if self.start == "newest":
            return Question("newest", None, {}, self.partition, self.words, self.within, self.limit)
        if self.start == "moment":
            at = moment(self.at, now=now()) if self.at else None
            return Question("forward", at, {}, self.partition, self.words, self.within, self.limit) if at else None
        if self.partition is None or self.offset is None:
            return None
        return Question("forward", None, {self.partition: self.offset}, None, self.words, self.within, self.limit)


class LookupAccepted(Schema):
    """It waits for a worker. Ask for it until its state is answered or failed."""

    id: int
    url: str


class LookupBytes(Schema):
    """form: json, text, hex, empty or tombstone. `size_bytes` is the whole size; `cut` where not all is here."""

    form: str
    text: str
    size_bytes: int
    cut: bool


class LookupHeader(Schema):
    """One header; names may repeat."""

    name: str
    value: LookupBytes


class LookupRecord(Schema):
    """A record without what rules mask. `value` is null where a drop rule is meant for it that cannot look into it."""

    partition: int
    offset: int
    produced_at: str | None
    size_bytes: int
    key: LookupBytes
    value: LookupBytes | None
    headers: list[LookupHeader]
    more_headers: int
    masked_by: list[str]


class LookupPartition(Schema):
    """All from `begin` up to `end`, not included, was looked at. `deleted_before`: offsets asked for that are gone.

    stopped_at: end, beginning, matches (a hundred were found), bytes (a megabyte was read), time (five seconds), gone.
    """

    partition: int
    begin: int
    end: int
    scanned: int
    scanned_bytes: int
    matched: int
    deleted_before: int
    stopped_at: str | None


class LookupAnswer(Schema):
    """state: waiting for a worker, reading, answered, failed (`trouble` says why). `goes_on`: `after` reads more.

    `scanned`, `scanned_bytes`: all that was looked at, also what is not told as read of a partition. The topic has
    `topic_partitions`. `partitions_left_out` of those asked for were not read: beyond 200 at once, or without answer.
    """

    id: int
    topic: str
    state: Literal["waiting", "reading", "answered", "failed"]
    trouble: str
    asked_at: str
    answered_at: str | None
    kept_until: str
    scanned: int
    scanned_bytes: int
    matched: int
    goes_on: bool
    topic_partitions: int
    partitions_left_out: int
    partitions: list[LookupPartition]
    records: list[LookupRecord]
