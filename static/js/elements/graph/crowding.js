// Which labels of edges are drawn: failing beats degraded beats busiest; the loser shows when pointed at or selected.

const RANK = { failing: 2, degraded: 1 };
const LETTER = 0.6; // of the size of letters
const LINE = 1.2;
const OVER = 5; // how far a label may reach over a node

/** Ids of edges whose label would stand on another one, or on a node. `labels`: by id {x, y, text}. */
export function crowded(edges, labels, letterSize, nodes, nodeSize) {
  const rank = (edge) => RANK[edge.health] ?? 0;
  const order = [...edges].sort((a, b) => rank(b) - rank(a) || (b.rate ?? 0) - (a.rate ?? 0));
  const taken = [];
  const losers = new Set();
  const [width, height] = [nodeSize.width / 2 - OVER, nodeSize.height / 2];
  for (const edge of order) {
    const { x, y, text } = labels.get(edge.id);
    const half = (text.length * LETTER * letterSize) / 2;
    const onLabel = taken.some((other) => Math.abs(other.x - x) < half + other.half && Math.abs(other.y - y) < LINE * letterSize);
    const onNode = nodes.some((node) => Math.abs(node.x - x) < half + width && Math.abs(node.y - y) < height);
    if (onLabel || (onNode && !rank(edge))) losers.add(edge.id);
    else taken.push({ x, y, half });
  }
  return losers;
}
