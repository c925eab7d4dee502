// What the benchmark asks of a browser: ELK's layout, crossings of drawn lines, and <service-graph> at work.

import "/static/js/elements/service-graph.js";
import { curve } from "/static/js/elements/graph/curves.js";

const SIZE = { width: 172, height: 56 };
const ELK = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.edgeRouting": "POLYLINE",
  "elk.layered.spacing.nodeNodeBetweenLayers": "78",
  "elk.spacing.nodeNode": "26",
};

/** Places (middles) and lines of a graph by ELK, and how long it took. */
async function elk({ nodes, arrows }) {
  const graph = {
    id: "root",
    layoutOptions: ELK,
    children: nodes.map((id) => ({ id, ...SIZE })),
    edges: arrows.map(([source, target], index) => ({ id: `e${index}`, sources: [source], targets: [target] })),
  };
  const began = performance.now();
  const laid = await new window.ELK().layout(graph);
  const ms = performance.now() - began;
  const places = Object.fromEntries(laid.children.map(({ id, x, y }) => [id, [x + SIZE.width / 2, y + SIZE.height / 2]]));
  const lines = laid.edges.flatMap((edge) => edge.sections.map((part) => [part.startPoint, ...(part.bendPoints ?? []), part.endPoint].map(({ x, y }) => [x, y])));
  return { places, lines, ms };
}

/** The lines that <service-graph> draws for these places, as many short straight ones. */
function drawn({ places, arrows, routes }) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  return arrows.map(([source, target]) => {
    const [a, b] = [places[source], places[target]].map(([x, y]) => ({ x, y }));
    path.setAttribute("d", curve(a, b, SIZE, 0, routes[`${source}>${target}`] ?? null).line);
    const length = path.getTotalLength();
    const n = Math.max(2, Math.ceil(length / 12));
    return Array.from({ length: n + 1 }, (_, index) => path.getPointAtLength((length * index) / n)).map(({ x, y }) => [x, y]);
  });
}

/** From middle to middle. */
function straight({ places, arrows }) {
  return arrows.map(([source, target]) => [places[source], places[target]]);
}

/** How often lines cross; those that share an end are not looked at near it. */
function crossings(lines, arrows) {
  const pieces = lines.flatMap((line, edge) => line.slice(1).map((to, index) => ({ edge, a: line[index], b: to, left: Math.min(line[index][0], to[0]), right: Math.max(line[index][0], to[0]) })));
  pieces.sort((p, q) => p.left - q.left);
  const found = new Set();
  for (let i = 0; i < pieces.length; i += 1) {
    for (let j = i + 1; j < pieces.length && pieces[j].left < pieces[i].right; j += 1) {
      const [p, q] = [pieces[i], pieces[j]];
      if (p.edge === q.edge || together(arrows[p.edge], arrows[q.edge]) || !cross(p.a, p.b, q.a, q.b)) continue;
      found.add(p.edge < q.edge ? p.edge * lines.length + q.edge : q.edge * lines.length + p.edge);
    }
  }
  return found.size;
}

/** Nodes that lines run over without ending there. */
function overNodes(lines, arrows, places) {
  const [w, h] = [SIZE.width / 2 - 4, SIZE.height / 2 - 2];
  const boxes = Object.entries(places);
  let n = 0;
  lines.forEach((line, index) => {
    for (const [id, [x, y]] of boxes) {
      if (arrows[index].includes(id)) continue;
      if (line.some(([px, py]) => Math.abs(px - x) < w && Math.abs(py - y) < h)) n += 1;
    }
  });
  return n;
}

const together = (a, b) => a.some((end) => b.includes(end));
const side = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
const cross = (a, b, c, d) => side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;

const frames = (n) => new Promise((done) => requestAnimationFrame(() => (n > 1 ? frames(n - 1).then(done) : done())));

/** Puts the element onto the page, and says how long it was until it was painted. */
async function mount(data) {
  const graph = document.createElement("service-graph");
  document.getElementById("stage").replaceChildren(graph);
  await frames(2);
  const routes = new Map(Object.entries(data.routes));
  window.bench = { graph, nodes: data.nodes, edges: data.edges, routes, n: 0 };
  const began = performance.now();
  graph.show({ nodes: data.nodes, edges: data.edges, routes });
  await frames(2);
  return performance.now() - began;
}

const HEALTHS = ["ok", "ok", "ok", "ok", "ok", "ok", "degraded", "failing"];

/** Another state of everything: every rate changes, one health in a hundred. */
function tick() {
  const { bench } = window;
  bench.n += 1;
  const moved = (row, index) => ({ ...row, rate: row.rate * (0.9 + ((index * 7 + bench.n * 3) % 20) / 100), rate_in: row.rate_in === undefined ? undefined : (row.rate_in ?? 1) * (0.9 + ((index * 5 + bench.n) % 20) / 100), health: (index + bench.n) % 100 ? row.health : HEALTHS[(index + bench.n) % 8] });
  const made = { nodes: bench.nodes.map(moved), edges: bench.edges.map(moved) };
  const began = performance.now();
  bench.graph.show({ ...made, routes: bench.routes });
  return performance.now() - began;
}

/** Pictures a second for so long. */
async function pictures(ms) {
  let n = 0;
  const until = performance.now() + ms;
  while (performance.now() < until) {
    await frames(1);
    n += 1;
  }
  return (n * 1000) / ms;
}

Object.assign(window, { elk, drawn, straight, crossings, overNodes, mount, tick, frames, pictures, ready: true });
