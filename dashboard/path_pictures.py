"""A path as the pages draw it: one small object a hop, and the words beside it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from dashboard.queries.expected import Expected
from dashboard.queries.letters_at import Address
from dashboard.queries.path_veils import address_of
from dashboard.queries.paths import Hop, Lineage

MOST_IN_PICTURE = 1_000
DEAD, SENT_AGAIN = "dead letter", "retry"

HOW = {
    "position": "position",
    "parent": "parent",
    "link": "link",
    "traceparent": "trace header",
    "copied traceparent": "trace header, handed on",
    "causation id": "causation id",
    "dead letter headers": "dead-letter headers",
    "retry": "retry",
}
MISSING = {
    "writer": "The span that wrote it is not stored: not sent yet, sampled out, or past retention.",
    "cause": "A span that it comes from is not stored: not sent yet, sampled out, or past retention.",
    "context": "No span and no trace header tells who wrote it.",
    "sender": "The span that sent it is not stored: not sent yet, sampled out, or past retention.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One hop in the table. `number` counts from 1; `after_seconds` is the time since the first hop."""

    hop: Hop
    number: int
    after_seconds: float | None
    url: str
    retry_url: str
    note: str
    known_by: tuple[str, ...]
    missing: tuple[str, ...]
    current: bool

    @property
    def selection(self) -> str:
        """What the address says when this hop is selected."""
        return f"hop:{self.number}"


def rows(lineage: Lineage, letters: Mapping[Address, int], *, may_retry: bool) -> list[Row]:
    """Every hop with its words and addresses."""
    first = next((hop.happened_at for hop in lineage.hops if hop.happened_at), None)
    return [_row(hop, lineage, letters, first, may_retry=may_retry) for hop in lineage.hops]


def picture(rows: Sequence[Row], lineage: Lineage, expected: Sequence[Expected]) -> dict[str, object]:
    """What the drawn path and the timeline are made from: the hops nearest to what was asked for."""
    near, clusters = _nearest(lineage), {hop.cluster for hop in lineage.hops if hop.cluster}
    return {
        "hops": [_drawn(rows[number], with_cluster=len(clusters) > 1) for number in sorted(near)],
        "start": list(lineage.start),
        "expected": [
            {
                "after": each.after,
                "kind": each.kind,
                "name": each.name,
                "within_seconds": each.within_seconds,
                "waited_seconds": each.waited_seconds,
                "late": each.late,
                "is_set": each.is_set,
            }
            for each in expected
        ],
        "ends": [
            {"hop": each.hop, "side": each.side, "url": rows[each.hop].url}
            for each in lineage.ends
            if each.hop in near and rows[each.hop].url
        ],
        "n_left_out": len(rows) - len(near),
    }


def _row(hop: Hop, lineage: Lineage, letters: Mapping[Address, int], first: datetime | None, *, may_retry: bool) -> Row:
    at = address_of(hop)
    written = hop.kind == "produce"
    letter = letters.get(at) if at and written else None
    note = DEAD if DEAD in hop.evidence else "sent again" if SENT_AGAIN in hop.evidence else ""
    return Row(
        hop=hop,
        number=hop.id + 1,
        after_seconds=(hop.happened_at - first).total_seconds() if hop.happened_at and first else None,
        url=reverse("event", args=at) if at else "",
        retry_url=reverse("retry_plan", args=[letter]) if letter and may_retry else "",
        note=note if written else "",
        known_by=tuple(HOW[how] for how in hop.known_by),
        missing=tuple(MISSING[code] for code in hop.missing),
        current=hop.id in lineage.start and written,
    )


def _drawn(row: Row, *, with_cluster: bool) -> dict[str, object]:
    hop = row.hop
    return {
        "id": hop.id,
        "kind": hop.kind,
        "service": hop.service_name,
        "topic": f"{hop.cluster}/{hop.topic_name}" if with_cluster and hop.cluster else hop.topic_name,
        "partition": hop.partition,
        "offset": hop.offset,
        "group": hop.group_name,
        "at": hop.happened_at.timestamp() if hop.happened_at else None,
        "margin_seconds": hop.margin_seconds,
        "wait_seconds": hop.wait_seconds,
        "skew_seconds": hop.skew_seconds,
        "processing_seconds": hop.processing_seconds,
        "result": hop.result,
        "reason": hop.exception_class if hop.result == "failed" else None,
        "n_attempts": hop.n_attempts,
        "evidence": list(hop.evidence),
        "known_by": list(hop.known_by),
        "missing": list(hop.missing),
        "cause": hop.cause,
        "causes": list(hop.causes[1:]),
        "n_causes": hop.n_causes,
        "note": row.note,
        "retry_url": row.retry_url,
    }


def _nearest(lineage: Lineage) -> set[int]:
    """The hops nearest to those that were asked for, causes before effects."""
    if len(lineage.hops) <= MOST_IN_PICTURE:
        return set(range(len(lineage.hops)))
    effects: dict[int, list[int]] = {}
    for hop in lineage.hops:
        for cause in hop.causes:
            effects.setdefault(cause, []).append(hop.id)
    near: dict[int, None] = {}
    waiting = deque(lineage.start or (0,))
    while waiting and len(near) < MOST_IN_PICTURE:
        number = waiting.popleft()
        if number not in near:
            near[number] = None
            waiting.extend((*lineage.hops[number].causes, *effects.get(number, ())))
    return set(near)
