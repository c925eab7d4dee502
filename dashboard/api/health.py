"""Whether Weir keeps up, for scripts."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from collector import clock
from dashboard.access import Action, needs
from dashboard.api import health_schemas as schemas
from dashboard.queries import wire
from dashboard.queries.health import health

router = Router(tags=["health"])


@router.get("health", response=schemas.HealthAnswer)
@needs(Action.VIEW)
def read_health(request: HttpRequest) -> dict[str, Any]:
    """State of each part of Weir, and how old the numbers are."""
    found = health(now=clock.now())
    return {
        "ok": found.ok,
        "sentence": found.sentence,
        "folded_at": wire.iso(found.freshness.folded_at),
        "scanned_at": wire.iso(found.freshness.scanned_at),
        "parts": [
            {
                "name": part.name,
                "instance": part.instance,
                "state": part.state,
                "at": wire.iso(part.at),
                "sentence": part.sentence,
                "numbers": part.numbers,
            }
            for part in found.parts
        ],
        "clusters": [
            {
                "name": each.name,
                "state": each.state,
                "last_ok_at": wire.iso(each.last_ok_at),
                "last_failure": each.last_failure,
            }
            for each in found.clusters
        ],
        "database_bytes": found.database_bytes,
        "n_waiting_batches": found.n_waiting_batches,
        "n_undecodable_hour": found.n_undecodable_hour,
        "n_gaps_day": found.n_gaps_day,
        "disk": {
            "checked_at": wire.iso(found.disk.checked_at),
            "budget_bytes": found.disk.budget_bytes,
            "used_bytes": found.disk.used_bytes,
            "kept_bytes": found.disk.kept_bytes,
            "problem": found.disk.problem,
        }
        if found.disk
        else None,
    }
