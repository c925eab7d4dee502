// Walking the graph with the arrow keys: right and left along an edge, up and down in the column.

const SAME_COLUMN = 40;

/** The node that an arrow key leads to from `id`, or null. `places`: {x, y} by id. */
export function neighbour(key, id, nodes, edges, places) {
  const here = nodes.has(id) ? places.get(id) : null;
  if (!here) return [...places].sort(([, a], [, b]) => a.x - b.x || a.y - b.y)[0]?.[0] ?? null;
  if (key === "ArrowRight") return along(edges, "source", "target", id);
  if (key === "ArrowLeft") return along(edges, "target", "source", id);
  return inColumn(key === "ArrowDown" ? 1 : -1, here, places);
}

/** Ids of the nodes and edges that touch `id`, itself included. */
export function around(id, edges) {
  const ids = new Set([id]);
  for (const edge of edges.values()) {
    if (edge.id !== id && edge.source !== id && edge.target !== id) continue;
    ids.add(edge.id).add(edge.source).add(edge.target);
  }
  return ids;
}

function along(edges, from, to, id) {
  const found = [...edges.values()].filter((edge) => edge[from] === id && edge[to] !== id);
  found.sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0));
  return found[0]?.[to] ?? null;
}

function inColumn(direction, here, places) {
  const column = [...places].filter(([, place]) => Math.abs(place.x - here.x) < SAME_COLUMN && (place.y - here.y) * direction > 0);
  column.sort(([, a], [, b]) => (a.y - b.y) * direction);
  return column[0]?.[0] ?? null;
}

/** Number of edges out of each node. */
export function readers(edges) {
  const counts = new Map();
  for (const edge of edges) counts.set(edge.source, (counts.get(edge.source) ?? 0) + 1);
  return counts;
}
