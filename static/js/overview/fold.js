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
  const lines = gathered(edges, (id) => of.get(id) ?? id);
  const inside = new Map();
  for (const { id, source, target, edges: own } of lines.values()) if (source === target && lines.delete(id)) inside.set(source, own);
  const boxes = view.boxes.filter((box) => members.get(box.id).length).map((box) => boxed(box, members.get(box.id), lines, inside.get(box.id) ?? []));
  return { nodes: [...plain, ...boxes], edges: [...lines.values()].map(summed) };
}

/** What an edge is drawn as. `of`: what a node is drawn as; where that is the same at both ends, inside that group. */
export function lineOf(edge, of) {
  const [source, target] = [of(edge.source), of(edge.target)];
  const isPlain = source === edge.source && target === edge.target;
  return { id: isPlain ? edge.id : `${source}>${target}`, source, target };
}

/** Edges by what they are drawn as. */
function gathered(edges, of) {
  const lines = new Map();
  for (const edge of edges) {
    const line = lineOf(edge, of);
    if (!lines.has(line.id)) lines.set(line.id, { ...line, edges: [] });
    lines.get(line.id).edges.push(edge);
  }
  return lines;
}

function boxed(box, members, lines, inside) {
  const differing = [...members, ...inside].filter((row) => row.diff);
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
    lacks: Object.entries({ in: into, out }).filter(([, edges]) => lacks(edges)).map(([way]) => way),
    estimated: [...into, ...out].some((edge) => edge.estimated),
    rateIsOld: members.some((node) => node.rateIsOld),
    diff: differingOf(members) ?? (differing.length ? "changed" : undefined),
    said: differing.length === 1 ? "1 differs" : `${differing.length} differ`,
  };
}

const within = (n, unknown) => (unknown ? `${n - unknown} of ${n} are within limits, ${unknown} unknown` : `all ${n} are within limits`);

function summed({ id, source, target, edges }) {
  if (edges.length === 1 && edges[0].id === id) return edges[0];
  const row = { id, source, target, n: edges.length, kind: edges[0].kind, group: null, group_name: null, health: worst(edges) };
  for (const name of SUMMED) row[name] = total(edges, name);
  row.partial = lacks(edges);
  for (const name of LARGEST) row[name] = largest(edges, name);
  row.evidence = STRONGEST.filter((word) => edges.some((edge) => edge.evidence.includes(word)));
  row.contradictions = [...new Set(edges.flatMap((edge) => edge.contradictions ?? []))];
  row.sentence = edges.find((edge) => edge.health === row.health).sentence;
  row.estimated = edges.some((edge) => edge.estimated);
  row.diff = differingOf(edges);
  row.rateIsOld = edges.some((edge) => edge.rateIsOld);
  row.lagIsOld = edges.some((edge) => edge.lagIsOld);
  return row;
}

/** New or gone where all are, changed where some differ; undefined where none does. */
function differingOf(rows) {
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

/** Whether the rates of some are known and those of others are not. */
function lacks(rows) {
  return new Set(rows.map((row) => has(row.rate))).size > 1;
}

function largest(rows, name) {
  const told = rows.map((row) => row[name]).filter(has);
  return told.length ? Math.max(...told) : null;
}
