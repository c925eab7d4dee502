// What the overview knows: the newest state of nodes and edges, and how the server says it is to be drawn.

import { folded, lineOf } from "./fold.js";

const MOST_SEEN = 20000; // names of groups may come and go for ever
const NO_VIEW = { of: {}, boxes: [], frames: [], places: {}, routes: {}, n_matching: 0, n_cut: 0 };

export class Model {
  nodes = new Map();
  edges = new Map();
  nIdle = 0;
  found = [];
  leftOut = new Set();
  seen = new Set();
  attention = null;
  #view = NO_VIEW;
  #waiting = null; // a view with other groups open or closed, for when nobody points at the graph
  #late = "";
  #marked = new WeakMap();
  places = new Map();
  routes = new Map();

  /** Takes a snapshot or a delta. `keep`: a snapshot that does not hold all that the page shows adds to what is there;
   *  `held`: no group opens or closes now. */
  take(message, { keep = false, held = false } = {}) {
    const { nodes = {}, edges = {} } = message;
    if (message.left_out) this.leftOut = new Set(message.left_out);
    this.found = message.found ?? this.found;
    if (message.kind === "snapshot" && !keep) {
      this.nodes.clear();
      this.edges.clear();
    }
    merge(this.nodes, nodes);
    merge(this.edges, edges);
    this.nIdle = (message.about?.graph ?? message).n_idle ?? this.nIdle;
    if (message.attention) this.attention = { ...this.attention, ...message.attention.list };
    if (!message.view) return;
    this.#waiting = held && !same(groups(message.view), groups(this.#view)) ? message.view : null;
    if (!this.#waiting) this.#look(message.view);
  }

  /** All that is here is no news any more. */
  see() {
    for (const id of this.nodes.keys()) this.seen.add(id);
    if (this.seen.size > MOST_SEEN) this.seen = new Set(this.nodes.keys());
  }

  /** Whether groups wait to open or close. */
  get waits() {
    return this.#waiting !== null;
  }

  /** Opens and closes them; says whether any waited. */
  settle() {
    const view = this.#waiting;
    this.#waiting = null;
    if (view) this.#look(view);
    return view !== null;
  }

  get view() {
    return this.#view;
  }

  /** Nodes and edges as they are drawn now. `late`: sources that are, "fold" (spans) or "scan" (the sampler). */
  drawn(late) {
    const key = late.join(" ");
    if (key !== this.#late) this.#marked = new WeakMap();
    this.#late = key;
    const nodes = [];
    for (const node of this.nodes.values()) if (!this.leftOut.has(node.id)) nodes.push(this.#mark(node, late));
    const edges = [];
    for (const edge of this.edges.values()) if (!this.leftOut.has(edge.source) && !this.leftOut.has(edge.target)) edges.push(this.#mark(edge, late));
    return { n: nodes.length, nEdges: edges.length, ...folded(nodes, edges, this.#view) };
  }

  /** What a node or an edge is drawn as: itself, or the closed group that holds it. */
  drawnAs(id) {
    const of = (node) => this.#view.of[node] ?? node;
    const edge = this.edges.get(id);
    if (!edge) return of(id);
    const line = lineOf(edge, of);
    return line.source === line.target ? line.source : line.id;
  }

  /** What makes the table and the view of the server's old: who is there, and how that is known. */
  structure() {
    const known = ({ id, evidence, contradictions }) => [id, evidence, contradictions].join(" ");
    return [[...this.nodes.keys()].sort(), [...this.edges.values()].map(known).sort(), [...this.leftOut].sort(), this.found].map((ids) => ids.join(" ")).join("\n");
  }

  /** A row that says which of its numbers are old: lags are the sampler's, and rates where no span tells them. The same
   *  row stays the same object, so that nothing is drawn that did not change. */
  #mark(row, late) {
    if (!late.some(Boolean)) return row;
    if (!this.#marked.has(row)) {
      const bySamples = row.source === undefined ? row.kind !== "service" : row.messages_from === "offsets";
      const isNode = row.source === undefined;
      this.#marked.set(row, { ...row, lagIsOld: late.includes("scan"), rateIsOld: late.includes(bySamples ? "scan" : isNode ? "" : "fold") });
    }
    return this.#marked.get(row);
  }

  #look(view) {
    const before = this.#view;
    this.#view = view;
    if (same(before.places, view.places) && same(before.routes, view.routes)) return;
    this.places = new Map(Object.entries(view.places).map(([id, [x, y]]) => [id, { x, y }]));
    this.routes = new Map(Object.entries(view.routes));
  }
}

const groups = ({ boxes, frames }) => [boxes, frames].map((all) => all.map(({ id }) => id));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Rows by id, as the socket sends them (null is gone), or a whole list, as the page holds it. */
function merge(into, rows) {
  const pairs = Array.isArray(rows) ? rows.map((row) => [row.id, row]) : Object.entries(rows);
  for (const [id, row] of pairs) {
    if (row === null) into.delete(id);
    else into.set(id, { ...into.get(id), ...row });
  }
}
