// Places for nodes that the server has not placed yet: beside their neighbours, below what stands there.

const COLUMN = 250;
const ROW = 72;

/** Writes into `places` ({x, y} by id) a place for every node without: the next column, at its neighbours' height. */
export function placeNewcomers(nodes, edges, places) {
  const left = new Set([...nodes.keys()].filter((id) => !places.has(id)));
  if (!left.size) return;
  const into = new Map();
  const out = new Map();
  for (const edge of edges.values()) {
    push(out, edge.source, edge.target);
    push(into, edge.target, edge.source);
  }
  const stand = (ids) => (ids ?? []).map((id) => places.get(id)).filter(Boolean);
  const columns = new Map();
  for (const place of places.values()) push(columns, Math.round(place.x / COLUMN), place.y);
  const queue = [...left].filter((id) => stand(into.get(id)).length || stand(out.get(id)).length);
  for (let turn = 0; left.size; turn += 1) {
    const next = queue[turn] ?? left.values().next().value;
    if (!left.has(next)) continue;
    const [before, after] = [stand(into.get(next)), stand(out.get(next))];
    const x = before.length ? Math.max(...before.map((place) => place.x)) + COLUMN : Math.min(COLUMN, ...after.map((place) => place.x)) - COLUMN;
    const both = [...before, ...after];
    const wanted = both.length ? both.reduce((sum, place) => sum + place.y, 0) / both.length : 0;
    const column = Math.round(x / COLUMN);
    const y = free(wanted, columns.get(column) ?? []);
    push(columns, column, y);
    places.set(next, { x, y });
    left.delete(next);
    for (const other of [...(out.get(next) ?? []), ...(into.get(next) ?? [])]) if (left.has(other)) queue.push(other);
  }
}

function push(map, key, value) {
  if (map.has(key)) map.get(key).push(value);
  else map.set(key, [value]);
}

function free(y, rows) {
  for (let step = 0; ; step += 1) {
    for (const place of [y + (step * ROW) / 2, y - (step * ROW) / 2]) {
      if (rows.every((row) => Math.abs(row - place) >= ROW - 1)) return place;
    }
  }
}
