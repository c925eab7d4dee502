// The graph with closed groups as one box each: who is inside is summed, and so are the edges between boxes.

const WORST = ["failing", "degraded", "ok", "unknown", "idle"];
const STRONGEST = ["traced", "offsets", "membership", "declared"];
const SUMMED = ["rate", "messages", "errors", "lag"];
const LARGEST = ["lag_seconds", "wait_p50_seconds", "wait_p95_seconds", "processing_p95_seconds"];
const has = (value) => value !== null && value !== undefined;

/** Nodes and edges as they are drawn. `view`: {of: closed group by node, boxes: [{id, by, name}]}. */
export function folded(nodes, edges, view) {
  if (!view.boxes.length) return { nodes, edges };
  const of = new Map(Object.entries(view.of));
  const members = new Map(view.boxes.map((box) => [box.id, []]));
  const plain = [];
  for (const node of nodes) {
    const group = of.get(node.id);
    if (group) members.get(group)?.push(node);
    else plain.push(node);
  }
  const lines = gathered(edges, of);
  const boxes = view.boxes.filter((box) => members.get(box.id).length).map((box) => boxed(box, members.get(box.id), lines));
  return { nodes: [...plain, ...boxes], edges: [...lines.values()].map(summed) };
}

/** Edges by what is drawn at their ends; those inside one box are none. */
function gathered(edges, of) {
  const lines = new Map();
  for (const edge of edges) {
    const source = of.get(edge.source) ?? edge.source;
    const target = of.get(edge.target) ?? edge.target;
    if (source === target) continue;
    const isPlain = source === edge.source && target === edge.target;
    const id = isPlain ? edge.id : `${source}>${target}`;
    if (!lines.has(id)) lines.set(id, { id, source, target, edges: [] });
    lines.get(id).edges.push(edge);
  }
  return lines;
}

function boxed(box, members, lines) {
  const bad = members.filter((node) => ["failing", "degraded"].includes(node.health)).length;
  const unknown = members.filter((node) => node.health === "unknown").length;
  const into = [...lines.values()].filter((line) => line.target === box.id).flatMap((line) => line.edges);
  const out = [...lines.values()].filter((line) => line.source === box.id).flatMap((line) => line.edges);
  return {
    id: box.id,
    kind: "box",
    by: box.by,
    name: box.name,
    role: "",
    guessed: false,
    n_nodes: members.length,
    n_dead_letters: members.reduce((sum, node) => sum + node.n_dead_letters, 0),
    health: !bad && unknown > members.length / 2 ? "unknown" : worst(members),
    sentence: bad ? `${bad} of ${members.length} are not well` : within(members.length, unknown),
    rate_in: total(into, "rate"),
    rate_out: total(out, "rate"),
    estimated: [...into, ...out].some((edge) => edge.estimated),
    rateIsOld: members.some((node) => node.rateIsOld),
    diff: differing(members),
  };
}

const within = (n, unknown) => (unknown ? `${n - unknown} of ${n} are within limits, ${unknown} unknown` : `all ${n} are within limits`);

function summed({ id, source, target, edges }) {
  if (edges.length === 1 && edges[0].id === id) return edges[0];
  const row = { id, source, target, n: edges.length, kind: edges[0].kind, group: null, group_name: null, health: worst(edges) };
  for (const name of SUMMED) row[name] = total(edges, name);
  for (const name of LARGEST) row[name] = largest(edges, name);
  row.evidence = STRONGEST.filter((word) => edges.some((edge) => edge.evidence.includes(word)));
  row.contradictions = [...new Set(edges.flatMap((edge) => edge.contradictions ?? []))];
  row.sentence = edges.find((edge) => edge.health === row.health).sentence;
  row.estimated = edges.some((edge) => edge.estimated);
  row.diff = differing(edges);
  row.rateIsOld = edges.some((edge) => edge.rateIsOld);
  row.lagIsOld = edges.some((edge) => edge.lagIsOld);
  return row;
}

/** New or gone where all are, changed where some differ; undefined where none does. */
function differing(rows) {
  const kinds = new Set(rows.map((row) => row.diff));
  return kinds.size === 1 ? rows[0].diff : "changed";
}

function worst(rows) {
  return WORST.find((level) => rows.some((row) => row.health === level)) ?? "unknown";
}

function total(rows, name) {
  const told = rows.map((row) => row[name]).filter(has);
  return told.length ? told.reduce((sum, value) => sum + value, 0) : null;
}

function largest(rows, name) {
  const told = rows.map((row) => row[name]).filter(has);
  return told.length ? Math.max(...told) : null;
}
