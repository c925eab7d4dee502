// <service-graph>: the service graph as SVG. One tab stop, arrows walk, Enter selects; data by `show`.

import { curve, lanes } from "./graph/curves.js";
import { placeNewcomers } from "./graph/places.js";
import { edgeClass, edgeGroup, edgeLabel, edgeTitle, fillNode, nodeClass, nodeGroup } from "./graph/shapes.js";
import { stretch } from "./graph/stretch.js";
import { Viewport } from "./graph/viewport.js";
import { around, neighbour } from "./graph/walk.js";
import { set, sign, svg } from "../lib/svg.js";

const NEW_MS = 60000;
const MOST_PULSES = 20;
const LABEL_RANK = { failing: 3, degraded: 2 };

class ServiceGraph extends HTMLElement {
  #nodes = new Map();
  #edges = new Map();
  #nodeGroups = new Map();
  #edgeGroups = new Map();
  #labels = new Map();
  #newUntil = new Map();
  #active = null;
  #selected = null;
  #fitted = false;
  #stretch = { x: 1, y: 1, nodeWidth: 172 };
  labelChoice = "rate";

  connectedCallback() {
    this.svg = svg("svg", { role: "application", tabindex: "0", "aria-label": "Service graph. Arrow keys walk along the edges, Enter selects.", class: "canvas" });
    this.world = svg("g", { class: "world" });
    this.edgeLayer = svg("g", { class: "edges" });
    this.nodeLayer = svg("g", { class: "nodes" });
    this.world.append(this.edgeLayer, this.nodeLayer);
    this.svg.append(this.world);
    this.append(this.svg, this.#buttons());
    this.view = new Viewport(this.svg, this.world);
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.svg.addEventListener("click", (event) => this.#click(event));
    this.svg.addEventListener("focus", () => !this.#active && this.#walk("ArrowRight"));
    new ResizeObserver(() => !this.#fitted && this.#fit()).observe(this);
  }

  /** Draws these nodes and edges. Returns the names of nodes that were not there before. */
  show(nodes, edges) {
    const first = this.#nodes.size === 0;
    const old = this.#nodes;
    this.#nodes = new Map(nodes.map((node) => [node.id, this.#placed(node, old.get(node.id))]));
    this.#edges = new Map(edges.filter((edge) => this.#nodes.has(edge.source) && this.#nodes.has(edge.target)).map((edge) => [edge.id, edge]));
    placeNewcomers(this.#nodes, this.#edges);
    const arrived = first ? [] : nodes.filter((node) => !old.has(node.id));
    for (const node of arrived) this.#newUntil.set(node.id, Date.now() + NEW_MS);
    this.#drawNodes(old);
    const moved = arrived.length > 0 || first || [...this.#nodes.values()].some((node) => !same(node, old.get(node.id)));
    this.#drawEdges(moved || this.#edges.size !== this.#edgeGroups.size);
    this.select(this.#selected);
    const alone = !this.view.touched && !this.matches(":hover") && !this.#selected;
    if (first || (arrived.length && alone)) this.#fit();
    return arrived;
  }

  /** Marks a node or an edge as selected, or nothing. */
  select(id) {
    this.#selected = id && (this.#nodes.has(id) || this.#edges.has(id)) ? id : null;
    const kept = this.#selected ? around(this.#selected, this.#edges) : null;
    this.svg.classList.toggle("selecting", kept !== null);
    for (const groups of [this.#nodeGroups, this.#edgeGroups]) {
      for (const [key, group] of groups) {
        group.classList.toggle("dim", kept !== null && !kept.has(key));
        group.classList.toggle("selected", key === this.#selected);
      }
    }
  }

  /** Shows another number on the edges: rate, wait-p95, lag, failed, none. */
  relabel(choice) {
    this.labelChoice = choice;
    this.#drawEdges(true);
    this.select(this.#selected);
  }

  #fit() {
    if (!this.#nodes.size || !this.clientWidth) return;
    const nodes = [...this.#nodes.values()];
    this.#stretch = stretch(nodes, this.getBoundingClientRect());
    this.#drawNodes(this.#nodes);
    this.#drawEdges(true);
    this.select(this.#selected);
    this.view.fit(nodes.map((node) => this.#at(node)), this.#stretch.nodeWidth);
    this.#fitted = true;
  }

  /** Where a node stands on the drawing. */
  #at(node) {
    return { x: Math.round(node.x * this.#stretch.x), y: Math.round(node.y * this.#stretch.y) };
  }

  #placed(node, before) {
    const known = Number.isFinite(node.x) && node.x !== null;
    return known || !before ? { ...node } : { ...node, x: before.x, y: before.y };
  }

  #drawNodes(old) {
    let pulses = 0;
    for (const node of this.#nodes.values()) {
      let group = this.#nodeGroups.get(node.id);
      if (!group || shapeOf(node) !== shapeOf(old.get(node.id) ?? node) || group.dataset.width !== String(this.#stretch.nodeWidth)) {
        group?.remove();
        group = nodeGroup(node, this.#stretch.nodeWidth);
        this.#nodeGroups.set(node.id, group);
        this.nodeLayer.append(group);
      }
      fillNode(group, node, this.view.nameSize);
      const place = this.#at(node);
      set(group, { transform: `translate(${place.x} ${place.y})` });
      const before = old.get(node.id);
      const changed = before && before.health !== node.health && pulses++ < MOST_PULSES;
      this.#setClass(group, node, changed);
      this.#tagNew(group, node.id);
    }
    this.#drop(this.#nodeGroups, this.#nodes);
    if (this.#active && !this.#nodes.has(this.#active)) this.#activate(null);
  }

  #setClass(group, node, changed) {
    const extra = `${node.id === this.#active ? " active" : ""}${changed ? " pulse" : ""}`;
    set(group, { class: nodeClass(node) + extra });
  }

  #tagNew(group, id) {
    const until = this.#newUntil.get(id);
    const tag = group.querySelector(".new-tag");
    if (until && Date.now() < until) {
      if (!tag) group.append(svg("text", { class: "new-tag", x: 0, y: -30, "text-anchor": "middle" }, "new"));
    } else if (tag || until) {
      tag?.remove();
      this.#newUntil.delete(id);
    }
  }

  #drawEdges(structure) {
    const lane = structure ? lanes(this.#edges.values()) : null;
    let reorder = structure;
    for (const edge of this.#edges.values()) {
      let group = this.#edgeGroups.get(edge.id);
      if (!group) {
        group = edgeGroup(edge);
        this.#edgeGroups.set(edge.id, group);
        this.edgeLayer.append(group);
      }
      const [source, target] = [this.#nodes.get(edge.source), this.#nodes.get(edge.target)];
      if (lane) this.#route(group, edge, curve(this.#at(source), this.#at(target), this.#stretch.nodeWidth, lane.get(edge.id)));
      const name = edgeClass(edge);
      reorder ||= group.dataset.health !== edge.health;
      group.dataset.health = edge.health;
      set(group, { class: name });
      put(group.querySelector(".label"), edgeLabel(edge, this.labelChoice));
      put(group.querySelector("title"), edgeTitle(edge, { source: source.name, target: target.name }));
    }
    this.#drop(this.#edgeGroups, this.#edges);
    if (reorder) this.#uncrowd();
  }

  #route(group, edge, { line, head, label }) {
    const [hit, stroke, arrow, text] = group.children;
    set(hit, { d: line });
    set(stroke, { d: line });
    set(arrow, { d: head });
    set(text, { x: label.x, y: label.y + 4, "text-anchor": "middle" });
    this.#labels.set(edge.id, label);
  }

  /** Hides labels that stand on others: failing beats degraded beats busiest; the loser shows on focus. */
  #uncrowd() {
    const order = [...this.#edges.values()].sort((a, b) => rank(b) - rank(a) || (b.rate ?? 0) - (a.rate ?? 0));
    const taken = [];
    for (const edge of order) {
      const at = this.#labels.get(edge.id);
      const crowded = taken.some((other) => Math.abs(other.x - at.x) < 46 && Math.abs(other.y - at.y) < 14);
      this.#edgeGroups.get(edge.id).querySelector(".label").classList.toggle("crowded", crowded);
      if (!crowded) taken.push(at);
    }
  }

  #drop(groups, kept) {
    for (const [id, group] of groups) {
      if (kept.has(id)) continue;
      group.remove();
      groups.delete(id);
    }
  }

  #click(event) {
    if (this.view.dragged) return;
    const group = event.target.closest("[data-id]");
    const id = group?.dataset.id ?? null;
    if (id && this.#nodes.has(id)) this.#activate(id);
    this.#choose(id);
  }

  #choose(id) {
    const edge = id !== null && this.#edges.has(id);
    this.select(id);
    this.dispatchEvent(new CustomEvent("choose", { detail: { id: id && edge ? `edge:${id}` : id } }));
  }

  #key(event) {
    const zoom = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (zoom) this.view.zoom(zoom);
    else if (event.key === "0") this.#fit();
    else if (event.key.startsWith("Arrow")) this.#walk(event.key);
    else if (event.key === "Enter" && this.#active) this.#choose(this.#active);
    else return;
    event.preventDefault();
  }

  #walk(key) {
    const next = neighbour(key, this.#active, this.#nodes, this.#edges);
    if (next) this.#activate(next);
  }

  #activate(id) {
    this.#nodeGroups.get(this.#active)?.classList.remove("active");
    this.#active = id;
    const group = this.#nodeGroups.get(id);
    group?.classList.add("active");
    set(this.svg, { "aria-activedescendant": group?.id });
    if (group) this.view.reveal(this.#at(this.#nodes.get(id)), this.#stretch.nodeWidth);
  }

  #buttons() {
    const bar = document.createElement("div");
    bar.className = "zoom";
    for (const [name, title, act] of [
      ["plus", "Zoom in", () => this.view.zoom(1.25)],
      ["minus", "Zoom out", () => this.view.zoom(0.8)],
      ["fit", "Fit", () => this.#fit()],
    ]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "button small", title });
      button.setAttribute("aria-label", title);
      button.append(sign(name));
      button.addEventListener("click", act);
      bar.append(button);
    }
    return bar;
  }
}

const rank = (edge) => LABEL_RANK[edge.health] ?? 0;
const same = (a, b) => b !== undefined && a.x === b.x && a.y === b.y;
const shapeOf = (node) => `${node.kind} ${node.role} ${node.guessed}`;

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

customElements.define("service-graph", ServiceGraph);
