// <service-graph>: the service graph as SVG. One tab stop, arrows walk, Enter selects; data by `show`.

import { buttons } from "./graph/buttons.js";
import { crowded } from "./graph/crowding.js";
import { curve, lanes } from "./graph/curves.js";
import { Glide } from "./graph/glide.js";
import { placeNewcomers } from "./graph/places.js";
import { edgeClass, edgeGroup, edgeLabel, edgeText, edgeTitle, fillNode, nodeClass, nodeGroup } from "./graph/shapes.js";
import { stretch } from "./graph/stretch.js";
import { Viewport } from "./graph/viewport.js";
import { around, neighbour } from "./graph/walk.js";
import { set, svg } from "../lib/svg.js";

const NEW_MS = 60000;
const MOST_PULSES = 20;

class ServiceGraph extends HTMLElement {
  #nodes = new Map();
  #edges = new Map();
  #nodeGroups = new Map();
  #edgeGroups = new Map();
  #texts = new Map();
  #labels = new Map();
  #newUntil = new Map();
  #found = new Set();
  #glide = new Glide();
  #active = null;
  #selected = null;
  #fitted = false;
  #stretch = { x: 1, y: 1, size: { width: 172, height: 46 } };
  labelChoice = "rate";

  connectedCallback() {
    this.svg = svg("svg", { role: "application", tabindex: "0", "aria-label": "Service graph. Arrow keys walk along the edges, Enter selects, f shows what is around.", class: "canvas" });
    this.world = svg("g", { class: "world" });
    this.edgeLayer = svg("g", { class: "edges" });
    this.nodeLayer = svg("g", { class: "nodes" });
    this.labelLayer = svg("g", { class: "labels", "aria-hidden": "true" });
    this.world.append(this.edgeLayer, this.nodeLayer, this.labelLayer);
    this.svg.append(this.world);
    this.view = new Viewport(this.svg, this.world);
    this.append(this.svg, buttons([["plus", "Zoom in", () => this.view.zoom(1.25)], ["minus", "Zoom out", () => this.view.zoom(0.8)], ["fit", "Fit", () => this.fit()]]));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.svg.addEventListener("click", (event) => this.#click(event));
    this.svg.addEventListener("dblclick", (event) => this.#surround(event.target.closest(".node")?.dataset.id));
    for (const name of ["pointerover", "pointerout"]) this.edgeLayer.addEventListener(name, (event) => this.#texts.get(event.target.closest(".edge")?.dataset.id)?.classList.toggle("pointed", name === "pointerover"));
    this.svg.addEventListener("focus", () => !this.#active && this.#walk("ArrowRight"));
    this.nodeLayer.addEventListener("animationend", (event) => event.target.closest(".node").classList.remove("pulse"));
    new ResizeObserver(() => this.#resized()).observe(this);
    addEventListener("resize", () => !this.view.touched && this.fit());
  }

  /** Draws these nodes and edges. `news` are those of the nodes that nobody has seen before. */
  show(nodes, edges, news = []) {
    const first = this.#nodes.size === 0;
    const old = this.#nodes;
    const stood = new Map([...old.values()].map((node) => [node.id, this.#glide.at(node)]));
    this.#nodes = new Map(nodes.map((node) => [node.id, this.#placed(node, old.get(node.id))]));
    this.#edges = new Map(edges.filter((edge) => this.#nodes.has(edge.source) && this.#nodes.has(edge.target)).map((edge) => [edge.id, edge]));
    placeNewcomers(this.#nodes, this.#edges);
    const arrived = nodes.some((node) => !old.has(node.id));
    for (const node of news) this.#newUntil.set(node.id, Date.now() + NEW_MS);
    const movers = [...this.#nodes.values()].filter((node) => old.has(node.id) && !same(node, old.get(node.id)));
    if (movers.length) this.#move(new Map(movers.map((node) => [node.id, stood.get(node.id)])));
    this.#draw(old, arrived || movers.length > 0);
    const alone = !this.view.touched && !this.matches(":hover") && !this.#selected;
    if (first || (news.length && alone)) this.fit();
  }

  #draw(old, structure) {
    this.#drawNodes(old);
    this.#drawEdges(structure || this.#edges.size !== this.#edgeGroups.size);
    this.select(this.#selected);
  }

  #move(from) {
    this.#glide.start(from, () => this.#draw(this.#nodes, true), () => !this.view.touched && this.fit());
  }

  /** Outlines the nodes with these ids. */
  mark(ids) {
    this.#found = new Set(ids);
    for (const [id, group] of this.#nodeGroups) group.classList.toggle("found", this.#found.has(id));
  }

  /** Makes the node after (or before) the active one, among these ids, the active one. Returns its id. */
  step(ids, by) {
    const here = ids.filter((id) => this.#nodes.has(id));
    if (!here.length) return null;
    const now = here.indexOf(this.#active);
    this.#activate(here[now < 0 ? (by > 0 ? 0 : here.length - 1) : (now + by + here.length) % here.length]);
    this.svg.focus({ preventScroll: true });
    return this.#active;
  }

  /** Marks a node or an edge as selected, or nothing. */
  select(id) {
    this.#selected = id && (this.#nodes.has(id) || this.#edges.has(id)) ? id : null;
    const kept = this.#selected ? around(this.#selected, this.#edges) : null;
    this.svg.classList.toggle("selecting", kept !== null);
    for (const groups of [this.#nodeGroups, this.#edgeGroups, this.#texts]) {
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

  /** Shows everything there is. */
  fit() {
    if (!this.#nodes.size || !this.clientWidth) return;
    const nodes = [...this.#nodes.values()];
    this.#stretch = stretch(nodes, this.getBoundingClientRect());
    const places = nodes.map((node) => this.#at(node));
    this.view.fit(places, this.#stretch.size);
    const chosen = this.#nodes.get(this.#selected);
    if (chosen) this.view.closeUp(this.#at(chosen), Math.min(...places.map((place) => place.x)), this.#stretch.size);
    this.#draw(this.#nodes, true);
    this.#fitted = true;
  }

  /** The side panel came or went: what is selected stays in sight, nothing else moves. */
  #resized() {
    if (!this.#fitted) this.fit();
    else if (this.#nodes.has(this.#selected)) this.view.reveal(this.#at(this.#nodes.get(this.#selected)), this.#stretch.size);
  }

  /** Where a node stands on the drawing. */
  #at(node) {
    const { x, y } = this.#glide.at(node);
    return { x: Math.round(x * this.#stretch.x), y: Math.round(y * this.#stretch.y) };
  }

  #placed(node, before) {
    const known = Number.isFinite(node.x) && node.x !== null;
    return known || !before ? { ...node } : { ...node, x: before.x, y: before.y };
  }

  #drawNodes(old) {
    let pulses = 0;
    for (const node of this.#nodes.values()) {
      let group = this.#nodeGroups.get(node.id);
      if (!group || shapeOf(node) !== shapeOf(old.get(node.id) ?? node) || group.dataset.width !== String(this.#stretch.size.width)) {
        group?.remove();
        group = nodeGroup(node, this.#stretch.size);
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
    const pulse = changed || group.classList.contains("pulse");
    const extra = `${node.id === this.#active ? " active" : ""}${this.#found.has(node.id) ? " found" : ""}${pulse ? " pulse" : ""}`;
    set(group, { class: nodeClass(node) + extra });
  }

  #tagNew(group, id) {
    const until = this.#newUntil.get(id);
    const tag = group.querySelector(".new-tag");
    if (until && Date.now() < until) {
      if (!tag) group.append(svg("text", { class: "new-tag", x: 0, y: -this.#stretch.size.height / 2 - 7, "text-anchor": "middle" }, "new"));
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
        this.#texts.set(edge.id, edgeText(edge));
        this.labelLayer.append(this.#texts.get(edge.id));
      }
      const [source, target] = [this.#nodes.get(edge.source), this.#nodes.get(edge.target)];
      if (lane) this.#route(group, edge, curve(this.#at(source), this.#at(target), this.#stretch.size, lane.get(edge.id)));
      const name = edgeClass(edge);
      reorder ||= group.dataset.health !== edge.health;
      group.dataset.health = edge.health;
      set(group, { class: name });
      const text = this.#texts.get(edge.id);
      const kept = ["crowded", "pointed"].filter((name) => text.classList.contains(name));
      set(text, { class: ["label", edge.health, ...kept].join(" ") });
      put(text, edgeLabel(edge, this.labelChoice));
      put(group.querySelector("title"), edgeTitle(edge, { source: source.shown_name, target: target.shown_name }));
    }
    this.#drop(this.#edgeGroups, this.#edges);
    this.#drop(this.#texts, this.#edges);
    if (reorder) this.#uncrowd();
  }

  #route(group, edge, { line, head, label }) {
    const [hit, stroke, arrow] = group.children;
    set(hit, { d: line });
    set(stroke, { d: line });
    set(arrow, { d: head });
    set(this.#texts.get(edge.id), { x: label.x, y: label.y + 4 });
    this.#labels.set(edge.id, label);
  }

  #uncrowd() {
    const labels = new Map([...this.#edges.values()].map((edge) => [edge.id, { ...this.#labels.get(edge.id), text: edgeLabel(edge, this.labelChoice) }]));
    const losers = crowded(this.#edges.values(), labels, this.view.nameSize, [...this.#nodes.values()].map((node) => this.#at(node)), this.#stretch.size);
    for (const [id, text] of this.#texts) text.classList.toggle("crowded", losers.has(id));
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
    else if (event.key === "0") this.fit();
    else if (event.key.startsWith("Arrow")) this.#walk(event.key);
    else if (event.key === "Enter" && this.#active) this.#choose(this.#active);
    else if (event.key === "f" && this.#active && document.body.dataset.singleKeys === "on") this.#surround(this.#active);
    else return;
    event.preventDefault();
  }

  #surround(id) {
    if (id) this.dispatchEvent(new CustomEvent("surround", { detail: { id } }));
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
    if (group) this.view.reveal(this.#at(this.#nodes.get(id)), this.#stretch.size);
  }
}

const same = (a, b) => b !== undefined && a.x === b.x && a.y === b.y;
const shapeOf = (node) => `${node.kind} ${node.role} ${node.guessed}`;

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

customElements.define("service-graph", ServiceGraph);
