// How edges run: left to right as one curve, backwards around below, several between the same two side by side.

const HEAD = 8;
const SIDE_BY_SIDE = 12;
const LABEL_AT = 0.62;
const FLAT = 16; // an edge so level that its label stands above it
const ABOVE = 10;

/** Paths of an edge between two places (line, head) and the place of its label. `lane`: 0, 1, −1, 2 … side by side. */
export function curve(source, target, { width, height }, lane = 0) {
  const shift = lane * SIDE_BY_SIDE;
  return target.x > source.x + width / 2 ? forward(source, target, width, shift) : around(source, target, height, shift);
}

/** Lane numbers for edges between the same two nodes. */
export function lanes(edges) {
  const counts = new Map();
  const result = new Map();
  for (const edge of edges) {
    const pair = [edge.source, edge.target].sort().join(" ");
    const n = counts.get(pair) ?? 0;
    counts.set(pair, n + 1);
    result.set(edge.id, n % 2 ? (n + 1) / 2 : -n / 2);
  }
  return result;
}

function forward(source, target, width, shift) {
  const from = [source.x + width / 2, source.y + shift];
  const tip = [target.x - width / 2 - 2, target.y + shift];
  const to = [tip[0] - HEAD, tip[1]];
  const bend = Math.max(14, Math.min(90, (to[0] - from[0]) / 2));
  const points = [from, [from[0] + bend, from[1]], [to[0] - bend, to[1]], to];
  const head = `M${tip[0]} ${tip[1]}l${-HEAD - 2} -5v10Z`;
  const at = bezier(points, LABEL_AT);
  const flat = Math.abs(to[1] - from[1]) < FLAT;
  return { line: path(points), head, label: flat ? { x: (from[0] + tip[0]) / 2, y: at.y - ABOVE } : at };
}

function around(source, target, height, shift) {
  const from = [source.x + 24 + shift, source.y + height / 2];
  const tip = [target.x - 24 + shift, target.y + height / 2 + 2];
  const to = [tip[0], tip[1] + HEAD];
  const low = Math.max(from[1], to[1]) + 36 + Math.abs(shift);
  const points = [from, [from[0], low + 14], [to[0], low + 14], to];
  const head = `M${tip[0]} ${tip[1]}l-5 ${HEAD + 2}h10Z`;
  return { line: path(points), head, label: bezier(points, LABEL_AT) };
}

function path([a, b, c, d]) {
  return `M${a[0]} ${a[1]}C${b[0]} ${b[1]} ${c[0]} ${c[1]} ${d[0]} ${d[1]}`;
}

function bezier([a, b, c, d], t) {
  const u = 1 - t;
  const at = (axis) => u ** 3 * a[axis] + 3 * u * u * t * b[axis] + 3 * u * t * t * c[axis] + t ** 3 * d[axis];
  return { x: at(0), y: at(1) };
}
