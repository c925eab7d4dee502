"""The toolbar above the graph: presets, labels, groupings and switches, each with why it is not offered."""

from dashboard.queries.asked import LABELS, Asked, switches, toggled
from dashboard.queries.filters import vocabulary
from dashboard.queries.graph import Graph
from dashboard.queries.grouping import BYS
from dashboard.queries.narrowing import FLOWS, HOPS
from dashboard.queries.view import View

PRESETS = (
    ("lag>30s", "Slow"),
    ("health:failing", "Failing"),
    ("is:idle", "Idle"),
    ("-known:traced", "Not traced"),
    ("has:dead-letters", "Dead letters"),
    ("changed:yes", "Changed since yesterday"),
)
SWITCHES = {
    "idle": "Idle",
    "internal": "Internal topics",
    "dead-letters": "Dead-letter topics",
    "retry": "Retry topics",
    "traffic": "Animate traffic of the selection",
}
WHY_NOT = {
    "wait-p50": "needs traced consumers",
    "wait-p95": "needs traced consumers",
    "lag": "needs a cluster that tells offsets",
    "failed": "needs traced services",
    "team": "no team is known",
    "cluster": "there is one",
}


def toolbar(wanted: Asked, drawn: Graph, seen: View) -> dict[str, object]:
    """What the toolbar offers for this graph, and what is chosen."""
    without = _without(drawn)
    return {
        "asked": wanted,
        "hops": HOPS,
        "flows": FLOWS,
        "labels": [(name, word, WHY_NOT[name] if name in without else "") for name, word in LABELS],
        "bys": [(name, name.capitalize(), WHY_NOT[name] if name in without else "") for name in BYS],
        "switches": [(word, SWITCHES[word], on, toggled(wanted.shown, word)) for word, on in switches(wanted.shown)],
        "presets": PRESETS,
        "words": vocabulary(),
        "open_boxes": [(box, [each for each in wanted.grouped.open if each != box.id]) for box in seen.open],
    }


def _without(drawn: Graph) -> set[str]:
    """Labels and groupings that nothing on the graph has a value for."""
    values = {
        "wait-p50": any(edge.wait_p50_seconds is not None for edge in drawn.edges),
        "wait-p95": any(edge.wait_p95_seconds is not None for edge in drawn.edges),
        "lag": any(edge.lag is not None for edge in drawn.edges),
        "failed": any(edge.errors is not None for edge in drawn.edges),
        "team": any(node.team for node in drawn.nodes),
        "cluster": len({node.cluster for node in drawn.nodes if node.cluster}) > 1,
    }
    return {name for name, known in values.items() if not known}
