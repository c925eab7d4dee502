// Places for nodes that the server has not placed yet: beside their neighbours, below what stands there.

const COLUMN = 250;
const ROW = 72;

/** Gives x and y to every node without: the next column after its producers, at its neighbours' height. */
export function placeNewcomers(nodes, edges) {
  const placed = (node) => Number.isFinite(node.x) && Number.isFinite(node.y);
  let left = [...nodes.values()].filter((node) => !placed(node));
  while (left.length) {
    const near = (node, from, to) => [...edges.values()].filter((edge) => edge[to] === node.id).map((edge) => nodes.get(edge[from])).filter((other) => other && placed(other));
    const next = left.find((node) => near(node, "source", "target").length || near(node, "target", "source").length) ?? left[0];
    const before = near(next, "source", "target");
    const after = near(next, "target", "source");
    const x = before.length ? Math.max(...before.map((node) => node.x)) + COLUMN : Math.min(COLUMN, ...after.map((node) => node.x)) - COLUMN;
    const both = [...before, ...after];
    const y = both.length ? both.reduce((sum, node) => sum + node.y, 0) / both.length : 0;
    next.x = x;
    next.y = free(x, y, [...nodes.values()].filter((node) => node !== next && placed(node)));
    left = left.filter((node) => node !== next);
  }
}

function free(x, y, nodes) {
  const rows = nodes.filter((node) => Math.abs(node.x - x) < COLUMN / 2).map((node) => node.y);
  for (let step = 0; ; step += 1) {
    for (const place of [y + step * ROW / 2, y - step * ROW / 2]) {
      if (rows.every((row) => Math.abs(row - place) >= ROW - 1)) return place;
    }
  }
}
