"""The table twin of the graph: one row per edge, then the nodes that none touches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.narrowing import Narrowed
from dashboard.templatetags.sorting import badness, ordered

ROWS, MOST_ROWS, DEFAULT_SORT = 100, 1_000, "from"


@dataclass(frozen=True, slots=True)
class Row:
    """One edge with its two ends."""

    edge: Edge
    source: Node
    target: Node

    @property
    def failed(self) -> float | None:
        """Share of the deliveries that failed; None where spans do not say."""
        return self.edge.errors / self.edge.messages if self.edge.messages and self.edge.errors is not None else None


_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "from": lambda row: (row.source.name, row.edge.kind, row.target.name),
    "to": lambda row: (row.target.name, row.edge.kind, row.source.name),
    "rate": lambda row: row.edge.rate,
    "messages": lambda row: row.edge.messages,
    "lag": lambda row: _lag(row.edge),
    "wait": lambda row: row.edge.wait_p95_seconds,
    "failed": lambda row: row.failed,
    "health": lambda row: badness(row.edge.health),
}


def rows_of(drawn: Graph) -> list[Row]:
    """Every edge whose ends are both on the graph."""
    nodes = {node.id: node for node in drawn.nodes}
    return [
        Row(edge, nodes[edge.source], nodes[edge.target])
        for edge in drawn.edges
        if edge.source in nodes and edge.target in nodes
    ]


def edge_table(drawn: Graph, narrow: Narrowed, words: Mapping[str, str]) -> dict[str, object]:
    """What the table shows; `words`: the address's `sort` and `rows`, how many are asked for."""
    rows = ordered(rows_of(drawn), words.get("sort") or DEFAULT_SORT, _COLUMNS)
    kept = [row for row in rows if not narrow.left_out & {row.source.id, row.target.id}]
    lonely = [node for node in _lonely(drawn) if node.id not in narrow.left_out]
    n_shown, n_all = _n_shown(words.get("rows", "")), len(kept) + len(lonely)
    return {
        "rows": kept[:n_shown],
        "n_rows": len(kept),
        "is_cut": n_shown < n_all,
        "more_rows": min(MOST_ROWS, n_shown + ROWS) if n_shown < min(MOST_ROWS, n_all) else None,
        "default_sort": DEFAULT_SORT,
        "lonely": lonely[: max(0, n_shown - len(kept))],
        "n_lonely": len(lonely),
    }


def _lag(edge: Edge) -> tuple[bool, float] | None:
    """Seconds are not compared with offsets: rows that tell no seconds stand by themselves, behind the longest."""
    if edge.lag is None:
        return None
    return edge.lag_seconds is not None, edge.lag if edge.lag_seconds is None else edge.lag_seconds


def _n_shown(text: str) -> int:
    return min(MOST_ROWS, int(text)) if text.isdecimal() and len(text) < 5 else ROWS


def _lonely(drawn: Graph) -> Sequence[Node]:
    touched = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    return [node for node in drawn.nodes if node.id not in touched]
