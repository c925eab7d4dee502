"""Dead letters."""

from typing import Annotated, Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Query, Router

from collector.domain import identities
from dashboard.access import Action, Refused, actor_of, can, needs
from dashboard.api import letter_schemas as schemas
from dashboard.crowding import heavy
from dashboard.payload_searches import noted
from dashboard.queries import dead_letters as letter_queries
from dashboard.queries import wire
from dashboard.queries.hiding import masked_topics
from dashboard.queries.letter_filter import Condition, MayNotRead, condition

router = Router(tags=["dead letters"])
After = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("dead-letters", response=schemas.DeadLetterList, by_alias=True)
@needs(Action.VIEW)
@heavy
def read_dead_letters(
    request: HttpRequest,
    status: schemas.LetterStatus | None = None,
    failure_group: After = None,
    q: Annotated[str, Query(max_length=400)] = "",
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What consumers gave up on, newest first: of one status or failure group, or all; `q`: the filter of the page."""
    filtered = _condition(request, q)
    with noted(request, filtered, q):
        found = letter_queries.parked_letters(
            status=status, failure_group=failure_group, filtered=filtered, after=after, limit=limit
        )
    return {
        "items": [_letter(row) for row in found.items],
        "next": None if found.next is None else str(found.next),
        "truncated": found.truncated,
    }


def _condition(request: HttpRequest, text: str) -> Condition:
    try:
        return condition(
            text, masked=masked_topics() if text else (), may_read=can(actor_of(request), Action.SEE_PAYLOADS)
        )
    except MayNotRead as hidden:
        vars(request)["refused"] = Action.SEE_PAYLOADS
        raise Refused(Action.SEE_PAYLOADS) from hidden


def _letter(row: letter_queries.LetterRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": reverse("dead_letter", args=[row.id]),
        "topic": identities.topic_id(row.cluster, row.topic),
        "partition": row.partition,
        "offset": row.offset,
        "key": row.key,
        "failed_at": wire.iso(row.failed_at),
        "expires_at": wire.iso(row.expires_at),
        "original": {
            "topic": identities.topic_id(row.cluster, row.origin_topic) if row.origin_topic else None,
            "partition": row.origin_partition,
            "offset": row.origin_offset,
        },
        "group": identities.group_id(row.cluster, row.group) if row.group else None,
        "exception": {"class": row.exception_class, "message": row.message},
        "dialect": row.dialect,
        "failure_group": row.failure_group,
        "status": row.status,
        "attempt": row.attempt,
    }
