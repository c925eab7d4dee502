// How edges run: left to right in curves, level where they pass beside nodes, back around them, loops above a node.

const HEAD = 8;
const SIDE_BY_SIDE = 12;
const LABELS_AT = [0.62, 0.52, 0.74, 0.42]; // of the way: the first that is free
const FLAT = 16; // an edge so level that its label stands above it
const ABOVE = 10;
const TURN = 44; // how far an edge that runs back reaches beside its ends

/** Paths of an edge between two places (line, head) and places for its label, best first.
 *  `lane`: 0, 1, −1, 2 … side by side; `via`: points that it must run through. */
export function curve(source, target, size, lane = 0, via = null) {
  const shift = lane * SIDE_BY_SIDE;
  if (source === target) return loop(source, size, lane);
  const ahead = target.x > source.x + size.width / 2;
  if (via) return ahead ? through(source, target, size, shift, via) : back(source, target, size, shift, via);
  return ahead ? through(source, target, size, shift, []) : around(source, target, size, shift);
}

/** Lane numbers for edges between the same two nodes. */
export function lanes(edges) {
  const counts = new Map();
  const result = new Map();
  for (const edge of edges) {
    const pair = edge.source < edge.target ? `${edge.source} ${edge.target}` : `${edge.target} ${edge.source}`;
    const n = counts.get(pair) ?? 0;
    counts.set(pair, n + 1);
    result.set(edge.id, n % 2 ? (n + 1) / 2 : -n / 2);
  }
  return result;
}

/** From right to left edge, level over the width of a node at each point on the way. */
function through(source, target, { width }, shift, via) {
  const half = width / 2;
  const from = [source.x + half, source.y + shift];
  const tip = [target.x - half - 2, target.y + shift];
  const to = [tip[0] - HEAD, tip[1]];
  const points = [from];
  for (const [x, y] of via) points.push([x - half, y + shift], [x + half, y + shift]);
  points.push(to);
  const pieces = [];
  for (let index = 0; index + 1 < points.length; index += 1) pieces.push(index % 2 ? level(points[index], points[index + 1]) : bend(points[index], points[index + 1]));
  return { line: path(pieces), head: `M${tip[0]} ${tip[1]}l${-HEAD - 2} -5v10Z`, labels: labels(pieces) };
}

/** Back to the left: around the column's edge, level beside the nodes between, around again into the target. */
function back(source, target, { width }, shift, [[, below]]) {
  const half = width / 2;
  const y = below + shift;
  const from = [source.x + half, source.y + shift];
  const tip = [target.x - half - 2, target.y + shift];
  const to = [tip[0] - HEAD, tip[1]];
  const turn = (a, b, out) => [a, [a[0] + out, a[1]], [b[0] + out, b[1]], b];
  const pieces = [turn(from, [from[0], y], TURN), level([from[0], y], [to[0], y]), turn([to[0], y], to, -TURN)];
  return { line: path(pieces), head: `M${tip[0]} ${tip[1]}l${-HEAD - 2} -5v10Z`, labels: labels(pieces) };
}

/** Under both nodes, where no way is known yet. */
function around(source, target, { height }, shift) {
  const from = [source.x + 24 + shift, source.y + height / 2];
  const tip = [target.x - 24 + shift, target.y + height / 2 + 2];
  const to = [tip[0], tip[1] + HEAD];
  const low = Math.max(from[1], to[1]) + 36 + Math.abs(shift);
  const pieces = [[from, [from[0], low + 14], [to[0], low + 14], to]];
  return { line: path(pieces), head: `M${tip[0]} ${tip[1]}l-5 ${HEAD + 2}h10Z`, labels: labels(pieces) };
}

function loop(node, { width, height }, lane) {
  const top = node.y - height / 2;
  const reach = 34 + Math.abs(lane) * SIDE_BY_SIDE;
  const from = [node.x + width / 4, top];
  const tip = [node.x - width / 4, top - 2];
  const to = [tip[0], tip[1] - HEAD];
  const pieces = [[from, [from[0] + 8, top - reach], [to[0] - 8, top - reach], to]];
  return { line: path(pieces), head: `M${tip[0]} ${tip[1]}l-5 ${-HEAD - 2}h10Z`, labels: [{ x: node.x, y: top - reach * 0.75 }] };
}

function bend(a, b) {
  const out = Math.max(14, Math.min(90, (b[0] - a[0]) / 2));
  return [a, [a[0] + out, a[1]], [b[0] - out, b[1]], b];
}

const level = (a, b) => [a, a, b, b];

function path(pieces) {
  let text = `M${point(pieces[0][0])}`;
  for (const [a, b, c, d] of pieces) text += a === b ? `L${point(d)}` : `C${point(b)} ${point(c)} ${point(d)}`;
  return text;
}

const point = ([x, y]) => `${round(x)} ${round(y)}`;
const round = (value) => Math.round(value * 10) / 10;

/** Places for a label along the pieces, by their length. */
function labels(pieces) {
  if (pieces.length === 1) {
    const [from, , , to] = pieces[0];
    const flat = Math.abs(to[1] - from[1]) < FLAT;
    return LABELS_AT.map((at) => (flat ? { x: from[0] + (to[0] - from[0]) * (at - 0.12), y: bezier(pieces[0], at).y - ABOVE } : bezier(pieces[0], at)));
  }
  const lengths = pieces.map(([a, b, c, d]) => (a === b ? Math.hypot(d[0] - a[0], d[1] - a[1]) : Math.hypot(d[0] - a[0], d[1] - a[1]) * 1.1));
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  return LABELS_AT.map((at) => along(pieces, lengths, whole * at));
}

function along(pieces, lengths, wanted) {
  let left = wanted;
  for (let index = 0; index < pieces.length; index += 1) {
    if (left <= lengths[index] || index === pieces.length - 1) {
      const place = bezier(pieces[index], lengths[index] ? Math.min(1, left / lengths[index]) : 0);
      return pieces[index][0] === pieces[index][1] ? { x: place.x, y: place.y - ABOVE } : place;
    }
    left -= lengths[index];
  }
  return null;
}

function bezier([a, b, c, d], t) {
  const u = 1 - t;
  const at = (axis) => u ** 3 * a[axis] + 3 * u * u * t * b[axis] + 3 * u * t * t * c[axis] + t ** 3 * d[axis];
  return { x: at(0), y: at(1) };
}
