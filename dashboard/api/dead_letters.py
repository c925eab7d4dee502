"""Dead letters, and sending them again."""

from typing import Annotated, Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Header, Query, Router, Status

from collector import clock
from collector.domain import identities
from collector.retry.refusals import NothingToSend, Refusal
from collector.retry.requests import retry as request_retry
from dashboard.access import Action, Bearer, actor_of, needs
from dashboard.api import auth
from dashboard.api import letter_schemas as schemas
from dashboard.api.problems import Conflict, NotFound
from dashboard.queries import dead_letters as letter_queries
from dashboard.queries import retries as retry_queries
from dashboard.queries import wire

router = Router(tags=["dead letters"])
After = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("dead-letters", response=schemas.DeadLetterList, by_alias=True)
@needs(Action.VIEW)
def read_dead_letters(
    request: HttpRequest,
    status: schemas.LetterStatus | None = None,
    failure_group: After = None,
    after: After = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """What consumers gave up on, newest first: of one status or failure group, or all."""
    found = letter_queries.parked_letters(status=status, failure_group=failure_group, after=after, limit=limit)
    return {
        "items": [_letter(row) for row in found.items],
        "next": None if found.next is None else str(found.next),
        "truncated": found.truncated,
    }


@router.post(
    "retries", auth=auth.Bearer(Action.RETRY), response={200: schemas.RetryAccepted, 202: schemas.RetryAccepted}
)
@needs(Action.RETRY)
def ask_for_retry(
    request: HttpRequest,
    wanted: schemas.RetryRequest,
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=200)],
) -> Status[dict[str, Any]]:
    """Freeze dead letters and send each once. The same key and request again answers the same operation, with 200."""
    holder = actor_of(request)
    if not isinstance(holder, Bearer):
        raise Conflict("Send a token.")
    person: Any = holder.person
    try:
        made = request_retry(
            wanted.dead_letters,
            person_id=person.pk,
            person_name=str(person),
            token=idempotency_key,
            target=_topic_name(wanted.target),
            expect=wanted.expect,
            now=clock.now(),
            address=request.META.get("REMOTE_ADDR", ""),
        )
    except NothingToSend as refusal:
        raise Conflict(f"Nothing can be sent. {refusal}") from refusal
    except Refusal as refusal:
        raise Conflict(str(refusal)) from refusal
    return Status(200 if made.repeated else 202, {"id": made.id, "url": reverse("retry", args=[made.id])})


@router.get("retries/{int:number}", response=schemas.RetryAnswer)
@needs(Action.VIEW)
def read_retry(request: HttpRequest, number: int, after: After = None, limit: Limit = 1000) -> dict[str, Any]:
    """One operation: what was sent where, and what came of it."""
    found = retry_queries.retry(number, now=clock.now(), after=after, limit=limit)
    if found is None:
        raise NotFound("No such operation.")
    return {
        "id": found.id,
        "url": reverse("retry", args=[found.id]),
        "status": found.status,
        "created_at": wire.iso(found.created_at),
        "items": [_item(item) for item in found.items],
        "next": None if found.next is None else str(found.next),
        "truncated": found.truncated,
    }


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


def _item(item: retry_queries.Item) -> dict[str, Any]:
    sent = {
        "topic": identities.topic_id(item.cluster, item.sent_topic or ""),
        "partition": item.sent_partition,
        "offset": item.sent_offset,
    }
    return {
        "dead_letter": item.dead_letter,
        "status": item.status,
        "sent": sent if item.sent_topic else None,
        "outcome": item.outcome,
        "reason": item.reason,
        "evidence": list(item.evidence),
    }


def _topic_name(target: str | None) -> str | None:
    """The name in a topic's id; a plain name is one, too."""
    if target is None or not target.startswith("topic:"):
        return target
    found = identities.parts(target)
    return found[1][-1] if found else target
