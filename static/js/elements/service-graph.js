// <service-graph>: the service graph as SVG. One tab stop, arrows walk, Enter selects; data by `show`.

import { buttons } from "./graph/buttons.js";
import { EdgeLayer } from "./graph/edges.js";
import { firstLook } from "./graph/first-look.js";
import { Frames } from "./graph/frames.js";
import { Glide } from "./graph/glide.js";
import { Labels } from "./graph/labels.js";
import { Minimap } from "./graph/minimap.js";
import { NodeLayer } from "./graph/nodes.js";
import { placeNewcomers } from "./graph/places.js";
import { READABLE, stretch } from "./graph/stretch.js";
import { Traffic } from "./graph/traffic.js";
import { Viewport } from "./graph/viewport.js";
import { around, neighbour, readers } from "./graph/walk.js";
import { set, svg } from "../lib/svg.js";

const NAME = "Service graph. Arrow keys walk along the edges, Enter selects, Shift and Enter selects a second one, f shows what is around.";
const NO_ROUTES = new Map();
const [TURN, MARGIN] = [44, 16];
const SIGHT = 0.6; // of a window's width, around what is in sight, has labels too

class ServiceGraph extends HTMLElement {
  #nodes = new Map();
  #edges = new Map();
  #places = new Map();
  #glide = new Glide();
  #active = null;
  #selected = [];
  #kept = null;
  #fitted = false;
  #stretch = { x: 1, y: 1, size: { width: 172, height: 46 } };
  #readers = new Map();
  #traffic = false;
  #frameList = [];
  #newestFrame = null;
  #routes = NO_ROUTES;
  #path = [];

  connectedCallback() {
    this.svg = svg("svg", { role: "application", tabindex: "0", "aria-label": NAME, class: "canvas" });
    this.world = svg("g", { class: "world" });
    const [frames, edges, dots, nodes, labels] = ["frames", "edges", "dots", "nodes", "labels"].map((name) => svg("g", { class: name }));
    for (const layer of [dots, labels]) layer.setAttribute("aria-hidden", "true");
    this.world.append(frames, edges, dots, nodes, labels);
    this.svg.append(this.world);
    this.append(this.svg);
    this.nodeLayer = new NodeLayer(nodes);
    this.edgeLayer = new EdgeLayer(edges);
    this.labels = new Labels(labels);
    this.frames = new Frames(frames, (id) => this.#tell("fold", { id }));
    this.dots = new Traffic(this.svg, dots);
    const bar = buttons([["plus", "Zoom in", () => this.view.zoom(1.25)], ["minus", "Zoom out", () => this.view.zoom(0.8)], ["fit", "Fit", () => this.fit({ whole: true })], ["map", "Map of the whole"]]);
    this.minimap = new Minimap(this, bar.lastElementChild, (x, y) => this.view.centre(x, y));
    this.view = new Viewport(this.svg, this.world, { changed: () => this.minimap.show(this.view.sight()), settled: () => this.#settled() });
    this.append(bar);
    this.#listen(edges);
  }

  #listen(edges) {
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.svg.addEventListener("click", (event) => this.#click(event));
    this.svg.addEventListener("dblclick", (event) => this.#enter(event.target.closest(".node")?.dataset.id));
    for (const name of ["pointerover", "pointerout"]) edges.addEventListener(name, (event) => this.labels.point(name === "pointerover" ? event.target.closest(".edge")?.dataset.id ?? null : null, () => this.#drawLabels()));
    this.svg.addEventListener("focus", () => !this.#active && this.svg.matches(":focus-visible") && this.#walk("ArrowRight")); // a click moves nothing
    new ResizeObserver(([entry]) => this.#resized(entry.contentRect)).observe(this);
    addEventListener("resize", () => !this.view.touched && this.fit());
  }

  /** Draws these nodes and edges. `places`: {x, y} by id, where there are none a node's own; `news`: nodes that nobody has seen before;
   *  `routes`: points on the way of edges, by "source>target"; `frames`: open groups. Nobody moves while it is used, unless `asked`. */
  show({ nodes, edges, places = null, routes = NO_ROUTES, frames = [], news = [], asked = false }) {
    const first = this.#nodes.size === 0;
    if (!asked && this.isUsed) [places, routes] = [new Map([...placesOf(nodes, places), ...this.#places]), this.#routes];
    const [oldNodes, oldEdges, stood] = [this.#nodes, this.#edges, this.#standing()];
    this.#nodes = new Map(nodes.map((node) => [node.id, node]));
    this.#edges = new Map();
    for (const edge of edges) if (this.#nodes.has(edge.source) && this.#nodes.has(edge.target)) this.#edges.set(edge.id, edge);
    this.#place(places);
    this.#readers = readers(this.#edges.values());
    const moved = routes !== this.#routes || !sameKeys(oldNodes, this.#nodes) || !sameKeys(oldEdges, this.#edges);
    this.#routes = routes;
    this.#newestFrame = frames.find(({ id }) => !this.#frameList.some((old) => old.id === id))?.id ?? this.#newestFrame;
    this.#frameList = frames;
    this.edgeLayer.route(routes);
    this.nodeLayer.announce(news.map((node) => node.id));
    const movers = [...this.#places].filter(([id, place]) => stood.has(id) && !same(place, stood.get(id)));
    if (movers.length) this.#move(new Map(movers.map(([id]) => [id, stood.get(id)])));
    const alone = !this.view.touched && !this.matches(":hover") && !this.#selected.length;
    if (!first || !this.clientWidth) this.#draw(moved || movers.length > 0);
    if (first || (news.length && alone)) this.fit();
  }

  #move(from) {
    const done = () => (this.view.touched ? this.#draw(true) : this.fit());
    this.#glide.start(from, () => this.#lay(true), done);
  }

  /** Whether somebody points at it or walks in it. */
  get isUsed() {
    return this.#places.size > 0 && (this.matches(":hover") || this.svg.matches(":focus-visible"));
  }

  /** The health that is drawn for a node, or undefined. */
  healthOf(id) {
    return this.nodeLayer.health(id);
  }

  /** Outlines the nodes with these ids. */
  mark(ids) {
    this.nodeLayer.mark(ids);
  }

  /** Lets dots run along what is selected, or not. */
  animate(wanted, { paused = false } = {}) {
    this.#traffic = wanted && !paused;
    this.#drawTraffic();
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

  /** Marks a node, an edge, or two nodes as selected, or nothing; `path`: further ids that belong to them. */
  select(ids, path = []) {
    this.#path = path;
    this.#selected = ids.filter((id) => this.#nodes.has(id) || this.#edges.has(id));
    const near = path.length ? [new Set([...this.#selected, ...path])] : this.#selected.map((id) => around(id, this.#edges));
    this.#kept = this.#selected.length ? new Set(near.flatMap((set) => [...set])) : null;
    this.svg.classList.toggle("selecting", this.#kept !== null);
    for (const layer of [this.nodeLayer, this.edgeLayer]) layer.select(this.#kept, this.#selected);
    this.#drawLabels();
    this.#drawTraffic();
  }

  /** Shows another number on the edges: rate, wait-p50, wait-p95, lag, failed, none. */
  relabel(choice) {
    this.labels.choice = choice;
    this.#drawLabels();
  }

  /** Shows everything there is, where it can be read; else what is selected or in trouble, or the beginning. `whole`: all
   *  of it, however small. */
  fit({ whole = false } = {}) {
    if (!this.#nodes.size || !this.clientWidth) return;
    const [nodes, side] = [[...this.#nodes.values()], this.#side()];
    this.#stretch = stretch([...this.#places.values()], this.getBoundingClientRect(), { grouped: nodes.some(({ kind }) => kind === "box"), side });
    const places = [...nodes.map((node) => this.#at(node)), ...this.frames.corners(this.#frameList, this.#stretch)];
    const room = { ...this.#stretch.size, side };
    this.view.fit(places, room);
    if (!whole && this.view.scale < READABLE) this.view.closeUp(this.#firstLook(), places, room);
    this.view.settle();
    this.#draw(true);
    this.#fitted = true;
  }

  #firstLook() {
    const frame = this.#frameList.find(({ id }) => id === this.#newestFrame);
    return firstLook({ nodes: this.#nodes, edges: this.#edges, chosen: this.#nodes.get(this.#selected[0]), frame, stretch: this.#stretch, at: (node) => this.#at(node) });
  }

  /** How far edges reach beside the outermost nodes: those that run back turn there. */
  #side() {
    const isBack = ({ source, target }) => source !== target && this.#places.get(target).x <= this.#places.get(source).x;
    return [...this.#edges.values()].some(isBack) ? TURN : MARGIN;
  }

  /** Where everybody stands now, those on their way included. */
  #standing() {
    return new Map([...this.#places].map(([id, place]) => [id, this.#glide.at({ id, ...place })]));
  }

  #place(wanted) {
    const before = this.#places;
    this.#places = new Map();
    for (const node of this.#nodes.values()) {
      const place = (wanted ? wanted.get(node.id) : Number.isFinite(node.x) ? node : null) ?? before.get(node.id);
      if (place) this.#places.set(node.id, { x: place.x, y: place.y });
    }
    placeNewcomers(this.#nodes, this.#edges, this.#places);
  }

  #draw(moved) {
    this.frames.draw(this.#frameList, this.#stretch);
    this.#lay(moved);
    if (this.#active && !this.#nodes.has(this.#active)) this.#activate(null);
    if (moved) this.select(this.#selected, this.#path);
    else this.#drawLabels();
    this.minimap.take([...this.#nodes.values()].map((node) => ({ ...this.#at(node), health: node.health })), this.#stretch.size);
    this.minimap.show(this.view.sight());
    if (moved) this.minimap.settle(this.view.room);
  }

  #lay(moved) {
    const { size } = this.#stretch;
    const at = (node) => this.#at(node);
    this.nodeLayer.draw(this.#nodes, { at, size, nameSize: this.view.nameSize, readers: this.#readers, far: this.view.isFar });
    this.edgeLayer.draw(this.#edges, this.#nodes, { at, size, stretch: this.#stretch, moved });
  }

  #settled() {
    this.nodeLayer.refit(this.#stretch.size, this.view.nameSize, this.view.isFar);
    this.#drawLabels();
    this.minimap.settle(this.view.room);
  }

  #drawLabels() {
    const places = [...this.#nodes.values()].map((node) => this.#at(node));
    this.labels.draw(this.#edges, {
      anchors: (id) => this.edgeLayer.anchors(id),
      places,
      size: this.#stretch.size,
      letters: this.view.nameSize,
      sight: this.view.sight(SIGHT),
      readable: this.view.readable,
      kept: this.#selected.length ? this.#kept : null,
    });
  }

  #drawTraffic() {
    const chosen = this.#traffic && this.#selected.length ? [...this.#edges.values()].filter((edge) => this.#kept.has(edge.id)) : [];
    this.dots.show(chosen.map((edge) => ({ edge, path: this.edgeLayer.line(edge.id)?.getAttribute("d") })));
  }

  /** The side panel came or went: what is selected stays in sight, nothing else moves. */
  #resized({ width, height }) {
    Object.assign(this.svg.style, { width: `${width}px`, height: `${height}px` }); // of its own: else every layout of the page lays out its texts
    const chosen = this.#nodes.get(this.#selected[0]);
    if (!this.#fitted) this.fit();
    else if (chosen) this.view.reveal(this.#at(chosen), this.#stretch.size);
  }

  /** Where a node stands on the drawing. */
  #at(node) {
    const { x, y } = this.#glide.at({ id: node.id, ...this.#places.get(node.id) });
    return { x: Math.round(x * this.#stretch.x), y: Math.round(y * this.#stretch.y) };
  }

  #click(event) {
    if (this.view.dragged) return;
    const id = event.target.closest("[data-id]")?.dataset.id ?? null;
    if (id && this.#nodes.has(id)) this.#activate(id);
    this.#choose(id, event.shiftKey);
  }

  #choose(id, second) {
    this.#tell("choose", { id: id && this.#edges.has(id) ? `edge:${id}` : id, second: second && this.#nodes.has(id) });
  }

  #key(event) {
    const zoom = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (zoom) this.view.zoom(zoom);
    else if (event.key === "0") this.fit({ whole: true });
    else if (event.key.startsWith("Arrow")) this.#walk(event.key);
    else if (event.key === "Enter" && this.#active) this.#choose(this.#active, event.shiftKey);
    else if (event.key === "f" && this.#active && document.body.dataset.singleKeys === "on") this.#enter(this.#active);
    else return;
    event.preventDefault();
  }

  /** Into a closed group, or to what stands around a node. */
  #enter(id) {
    if (id) this.#tell(this.#nodes.get(id)?.kind === "box" ? "unfold" : "surround", { id });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #walk(key) {
    const next = neighbour(key, this.#active, this.#nodes, this.#edges, this.#places);
    if (next) this.#activate(next);
  }

  #activate(id) {
    this.#active = id;
    this.nodeLayer.activate(id);
    const group = this.nodeLayer.group(id);
    set(this.svg, { "aria-activedescendant": group?.id });
    if (group) this.view.reveal(this.#at(this.#nodes.get(id)), this.#stretch.size);
  }
}

const placesOf = (nodes, places) => places ?? new Map(nodes.filter(({ x }) => Number.isFinite(x)).map((node) => [node.id, node]));
const same = (a, b) => a.x === b.x && a.y === b.y;

function sameKeys(a, b) {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

customElements.define("service-graph", ServiceGraph);
