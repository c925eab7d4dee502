"""Paths that somebody keeps: as they were then, beyond what is kept of spans and records."""

import gzip
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from dashboard.models import KeptPath
from dashboard.queries import hiding
from dashboard.queries.event import Event, EventPage
from dashboard.queries.health import kept_too_much
from dashboard.queries.hiding import Veil
from dashboard.queries.path_export import fit_to_see as veiled
from dashboard.queries.path_export import otlp_of
from dashboard.queries.path_veils import fit_to_see, veils_of
from dashboard.queries.paths import Hop, Lineage, Onward

MOST_KEPT = 500
MOST_HOPS = 5_000


class NotKept(ValueError):
    """The path cannot be kept; the message says why, for the person who asked."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A path as it was at `kept_at`."""

    page: EventPage
    kept_by: str
    kept_at: datetime


def keep(found: EventPage, *, by: str, now: datetime) -> None:
    """Keep the path with all its spans; what was kept of the same event before is replaced. Raises NotKept."""
    if len(found.path.hops) > MOST_HOPS:
        raise NotKept(f"This path has more than {MOST_HOPS:,} hops. Keep that of one of its later events.")
    address = _address(found.event)
    if not KeptPath.objects.filter(**address).exists():
        if KeptPath.objects.count() >= MOST_KEPT:
            raise NotKept(f"{MOST_KEPT} paths are kept already. Let one go first.")
        if problem := kept_too_much():
            raise NotKept(problem)
    export = otlp_of({hop.trace_id for hop in found.path.hops if hop.trace_id})  # unmasked: rules count when it is read
    values = {
        "body": gzip.compress(json.dumps(asdict(found), default=_text).encode()),
        "otlp": gzip.compress(json.dumps(export.body).encode()),
        "kept_by": by,
        "kept_at": now,
    }
    try:
        with transaction.atomic():
            KeptPath.objects.update_or_create(**address, defaults=values)
    except IntegrityError as error:
        raise NotKept("Somebody else keeps this path at this very moment.") from error


def let_go(cluster: str, topic: str, partition: int, offset: int) -> bool:
    """Keep it no longer; whether it was kept."""
    n, _ = KeptPath.objects.filter(cluster=cluster, topic=topic, partition=partition, offset=offset).delete()
    return bool(n)


def kept_path(cluster: str, topic: str, partition: int, offset: int) -> Kept | None:
    """What is kept of this event's path, masked by the rules of now. One statement, one more where there are rules."""
    row = KeptPath.objects.filter(cluster=cluster, topic=topic, partition=partition, offset=offset).first()
    if row is None:
        return None
    body = json.loads(gzip.decompress(bytes(row.body)))
    event, path = body["event"], body["path"]
    for name in ("produced_at", "stored_at"):
        event[name] = _moment(event[name])
    hops = tuple(_hop(hop) for hop in path["hops"])
    ends = tuple(Onward(**each) for each in path.get("ends", ()))
    lineage = Lineage(**{**path, "hops": hops, "start": tuple(path["start"]), "ends": ends})
    return Kept(_fit_to_see(Event(**event), lineage), row.kept_by, row.kept_at)


def _fit_to_see(event: Event, lineage: Lineage) -> EventPage:
    """A record that is gone can tell nobody any more what of its key was masked in it: then all of it hides."""
    found = (event.cluster, event.topic, event.partition, event.offset)
    veils = veils_of(found, lineage)
    origins = {hop.topic_name for hop in lineage.hops} if event.role == "dead_letter" else set()
    veil = veils.get(found) or Veil(hiding.aim_for(event.topic, *origins))
    seen = replace(event, key=veil.shown_key(event.key), event_id=veil.text(event.event_id))
    return EventPage(seen, fit_to_see(lineage, veils))


def kept_export(cluster: str, topic: str, partition: int, offset: int) -> dict[str, Any] | None:
    """The kept spans as OTLP in JSON."""
    row = KeptPath.objects.filter(cluster=cluster, topic=topic, partition=partition, offset=offset).first()
    return None if row is None else veiled(json.loads(gzip.decompress(bytes(row.otlp))))


def _address(event: Event) -> dict[str, Any]:
    return {"cluster": event.cluster, "topic": event.topic, "partition": event.partition, "offset": event.offset}


def _hop(held: dict[str, Any]) -> Hop:
    lists = {name: tuple(held[name]) for name in ("evidence", "causes", "known_by", "missing")}
    return Hop(**{**held, **lists, "happened_at": _moment(held["happened_at"])})


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a path")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
