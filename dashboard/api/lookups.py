"""Looks into topics: asked for, then read until the answer is there, by the same person's tokens; never unmasked."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from ninja import Router, Status

from collector.domain import identities
from collector.domain.lookups import Course
from collector.lookups.requests import TooMany
from dashboard import samples
from dashboard.access import Action, needs
from dashboard.api import lookup_schemas as schemas
from dashboard.api.auth import Bearer
from dashboard.api.problems import Conflict, NotFound, Unprocessable
from dashboard.crowding import heavy
from dashboard.payloads import Readable, readable, readable_headers
from dashboard.queries import wire
from dashboard.queries.lookups import Seen
from dashboard.queries.topics import number_of

router = Router(tags=["lookups"])
MAY_SEE = Bearer(Action.SEE_PAYLOADS)


@router.post("topics/{segment:cluster}/{segment:topic}/lookups", auth=MAY_SEE, response={202: schemas.LookupAccepted})
@needs(Action.SEE_PAYLOADS)
def ask_for_lookup(
    request: HttpRequest, cluster: str, topic: str, wanted: schemas.LookupRequest
) -> Status[dict[str, Any]]:
    """Have some records of a topic read. The answer is kept for ten minutes, for the token's owner."""
    number = number_of(cluster, topic)
    if number is None:
        raise NotFound(f"There is no topic {topic}.")
    question = wanted.question()
    if wanted.after is not None:
        before = samples.find(request, wanted.after)
        question = before.onward if before and before.topic_id == number else None
        if question is None:
            raise NotFound("There is no such lookup of this topic any more, or all of it was read.")
    if question is None:
        raise Unprocessable("Say `at` with start moment, `partition` and `offset` with start offset.")
    try:
        made = samples.ask(request, cluster, topic, number, question)
    except TooMany as refusal:
        raise Conflict(str(refusal)) from refusal
    return Status(202, {"id": made, "url": reverse("lookup", args=[made])})


@router.get("lookups/{int:number}", auth=MAY_SEE, response=schemas.LookupAnswer)
@needs(Action.SEE_PAYLOADS)
@heavy
def read_lookup(request: HttpRequest, number: int) -> dict[str, Any]:
    """One lookup: its records without what is masked, how far each partition was read, and why no further."""
    found = samples.find(request, number)
    if found is None:
        raise NotFound("There is no such lookup: it was kept for ten minutes, for who asked.")
    is_there = found.answered_at is not None and not found.trouble
    return {
        "id": found.id,
        "topic": identities.topic_id(found.cluster, found.topic),
        "state": "failed" if found.trouble else "answered" if is_there else "reading" if found.taken_at else "waiting",
        "trouble": found.trouble,
        "asked_at": wire.iso(found.asked_at),
        "answered_at": wire.iso(found.answered_at),
        "kept_until": wire.iso(found.kept_until),
        "scanned": found.n_read,
        "scanned_bytes": found.n_read_bytes,
        "matched": found.n_matches,
        "goes_on": found.onward is not None,
        "topic_partitions": found.n_partitions,
        "partitions_left_out": found.n_left_out,
        "partitions": [_course(course) for course in found.courses],
        "records": [_record(seen) for seen in samples.look(request, found)] if is_there else [],
    }


def _course(course: Course) -> dict[str, Any]:
    return {
        "partition": course.number,
        "begin": course.begin,
        "end": course.end,
        "scanned": course.n_records,
        "scanned_bytes": course.n_bytes,
        "matched": course.n_matches,
        "deleted_before": course.missing,
        "stopped_at": course.why,
    }


def _record(seen: Seen) -> dict[str, Any]:
    headers = readable_headers(seen.headers) if seen.headers is not None else None
    return {
        "partition": seen.partition,
        "offset": seen.offset,
        "produced_at": wire.iso(seen.produced_at),
        "size_bytes": seen.n_bytes,
        "key": _bytes(readable(seen.key)),
        "value": None if seen.is_withheld else _bytes(readable(seen.value, n_bytes=seen.n_value_bytes), seen.is_cut),
        "headers": [{"name": each.name, "value": _bytes(each.value)} for each in headers.items] if headers else [],
        "more_headers": headers.n_more if headers else 0,
        "masked_by": list(seen.rules),
    }


def _bytes(read: Readable, is_cut: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
    return {"form": read.form, "text": read.text, "size_bytes": read.n_bytes, "cut": read.cut or is_cut}
