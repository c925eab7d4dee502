"""Sending dead letters again, and following what comes of it."""

from typing import Annotated, Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Header, Query, Router, Status

from collector import clock
from collector.domain import identities
from collector.domain.canary import Sending
from collector.retry import control, records
from collector.retry.records import Asker
from collector.retry.refusals import NothingToSend, NotNow, Refusal
from collector.retry.requests import MOST_LETTERS
from collector.retry.requests import retry as request_retry
from dashboard.access import Action, Bearer, actor_of, can, needs
from dashboard.api import auth
from dashboard.api import retry_schemas as schemas
from dashboard.api.problems import Conflict, NotFound
from dashboard.audit import address_of
from dashboard.payload_searches import chosen
from dashboard.queries import retries as queries
from dashboard.queries import wire
from dashboard.queries.letter_filter import BadFilter
from dashboard.queries.letter_selection import selection

router = Router(tags=["retries"])
After = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=1000)]
MAY_RETRY = auth.Bearer(Action.RETRY)


@router.post(
    "retries",
    auth=auth.Bearer(Action.RETRY, sends=True),
    response={200: schemas.RetryAccepted, 202: schemas.RetryAccepted},
)
@needs(Action.RETRY)
def ask_for_retry(
    request: HttpRequest,
    wanted: schemas.RetryRequest,
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=200)],
) -> Status[dict[str, Any]]:
    """Freeze dead letters and send each once. The same key and request again answers the same operation, with 200."""
    by = _asker(request)
    try:
        made = request_retry(
            [*wanted.dead_letters, *_selected(request, wanted, by)],
            person_id=by.person_id,
            person_name=by.person_name,
            token=idempotency_key,
            target=_topic_name(wanted.target),
            expect=wanted.expect,
            now=clock.now(),
            address=by.address,
            sends_newer=wanted.newer == "send",
            sending=_sending(wanted.sending),
            name=wanted.name,
            asked=_asked(wanted),
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
    found = queries.retry(number, now=clock.now(), after=after, limit=limit)
    if found is None:
        raise NotFound("No such operation.")
    row = found.row
    return {
        "id": row.id,
        "url": reverse("retry", args=[row.id]),
        "status": row.status,
        "name": row.name,
        "reason": row.reason,
        "waits_for_person": row.waits_for_person,
        "created_at": wire.iso(row.created_at),
        "counts": {name: getattr(row, f"n_{name}") for name in schemas.RetryCounts.model_fields},
        "steps": [
            {"number": step.number, "events": step.n, "sent": step.n_sent, "stand": step.stand} for step in found.steps
        ],
        "items": [_item(item) for item in found.items],
        "next": None if found.next is None else str(found.next),
        "truncated": found.truncated,
    }


@router.post("retries/{int:number}/{deed}", auth=MAY_RETRY, response=schemas.RetryAccepted)
@needs(Action.RETRY)
def control_retry(request: HttpRequest, number: int, deed: schemas.Deed) -> dict[str, Any]:
    """Pause, resume, continue after the first step or a stop, or cancel what was not sent yet."""
    deeds = {"pause": control.pause, "resume": control.resume, "continue": control.proceed, "cancel": control.cancel}
    try:
        deeds[deed](number, _asker(request), now=clock.now())
    except NotNow as refusal:
        raise Conflict(str(refusal)) from refusal
    return {"id": number, "url": reverse("retry", args=[number])}


def _asked(wanted: schemas.RetryRequest) -> str:
    """What a request says that leaves the choice of letters to Weir; "" where it names them all."""
    if wanted.failure_group is None and wanted.matching is None:
        return ""
    return repr((sorted(set(wanted.dead_letters)), wanted.failure_group, wanted.matching))


def _selected(request: HttpRequest, wanted: schemas.RetryRequest, by: Asker) -> tuple[int, ...]:
    """The open letters of the group, or of all, that match; () where only ids are named."""
    group = [] if wanted.failure_group is None else [str(wanted.failure_group)]
    if wanted.matching is not None:
        try:
            asked = {"matching": ["1"], "q": [wanted.matching], "group": group}
            may_read = can(actor_of(request), Action.SEE_PAYLOADS)
            return chosen(request, asked, most=MOST_LETTERS, may_read=may_read).letters
        except BadFilter as problem:
            records.refused(by, clock.now(), subject="dead letters", reason=str(problem))
            raise
    return selection({"group": group}, most=MOST_LETTERS).letters if group else ()


def _asker(request: HttpRequest) -> Asker:
    holder = actor_of(request)
    if not isinstance(holder, Bearer):
        raise Conflict("Send a token.")
    person: Any = holder.person
    return Asker(person.pk, str(person), address_of(request))


def _sending(wanted: schemas.SendingRequest | None) -> Sending | None:
    if wanted is None:
        return None
    return Sending(**{**wanted.dict(), "steps": tuple(wanted.steps)})


def _item(item: queries.Item) -> dict[str, Any]:
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
        "in_retry": item.in_retry,
    }


def _topic_name(target: str | None) -> str | None:
    """The name in a topic's id; a plain name is one, too."""
    if target is None or not target.startswith("topic:"):
        return target
    found = identities.parts(target)
    return found[1][-1] if found else target
