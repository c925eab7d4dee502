// The edges on the drawing: their lines are laid when something moved, their classes written when they changed.

import { set } from "../../lib/svg.js";
import { edgeTitle, nameOf } from "./captions.js";
import { curve, lanes } from "./curves.js";
import { edgeClass, edgeParts, put } from "./shapes.js";

const RANK = { failing: 2, degraded: 1 };

export class EdgeLayer {
  #layer;
  #items = new Map();
  #routes = new Map();

  #nodes = new Map();

  constructor(layer) {
    this.#layer = layer;
    layer.addEventListener("pointerover", (event) => this.#tell(event.target.closest(".edge")?.dataset.id));
  }

  get size() {
    return this.#items.size;
  }

  line(id) {
    return this.#items.get(id)?.line;
  }

  /** Places for the label of an edge, best first. */
  anchors(id) {
    return this.#items.get(id)?.anchors ?? [];
  }

  /** Points that edges run through, by "source>target"; of those that are not known, none. */
  route(routes) {
    this.#routes = routes;
  }

  /** Draws these edges; `moved`: nodes came, went or stand elsewhere, so that lines are laid anew. */
  draw(edges, nodes, { at, size, stretch, moved }) {
    this.#nodes = nodes;
    const lane = moved ? lanes(edges.values()) : null;
    let reorder = moved;
    for (const edge of edges.values()) {
      let item = this.#items.get(edge.id);
      if (!item) {
        item = edgeParts(edge);
        this.#items.set(edge.id, item);
        this.#layer.append(item.group);
      }
      const [source, target] = [nodes.get(edge.source), nodes.get(edge.target)];
      if (lane) this.#lay(item, edge, [at(source), at(target)], size, stretch, lane.get(edge.id));
      if (item.edge === edge) continue;
      reorder ||= item.edge?.health !== edge.health;
      this.#write(item, edge);
    }
    for (const [id, item] of this.#items) {
      if (edges.has(id)) continue;
      item.group.remove();
      this.#items.delete(id);
    }
    if (reorder) this.#failingOnTop();
  }

  /** Which are dimmed and which selected. */
  select(kept, selected) {
    for (const [id, item] of this.#items) {
      item.kept = `${kept !== null && !kept.has(id) ? " dim" : ""}${selected.includes(id) ? " selected" : ""}`;
      this.#write(item, item.edge);
    }
  }

  #write(item, edge) {
    item.edge = edge;
    const name = edgeClass(edge) + (item.kept ?? "");
    if (item.name !== name) item.group.setAttribute("class", (item.name = name));
  }

  /** Its numbers in words, when somebody points at it. */
  #tell(id) {
    const item = this.#items.get(id);
    if (item) put(item.title, edgeTitle(item.edge, { source: nameOf(this.#nodes.get(item.edge.source)), target: nameOf(this.#nodes.get(item.edge.target)) }));
  }

  #lay(item, edge, [source, target], size, stretch, lane) {
    const via = this.#routes.get(`${edge.source}>${edge.target}`)?.map(([x, y]) => [Math.round(x * stretch.x), Math.round(y * stretch.y)]);
    const laid = curve(source, edge.source === edge.target ? source : target, size, lane, via);
    item.anchors = laid.labels;
    if (item.path === laid.line) return;
    item.path = laid.line;
    for (const part of [item.hit, item.line]) part.setAttribute("d", laid.line);
    if (edge.evidence.every((word) => word === "declared")) item.inner.setAttribute("d", laid.line);
    set(item.head, { d: laid.head });
  }

  /** What fails is drawn last, over the others. */
  #failingOnTop() {
    const bad = [...this.#items.values()].filter((item) => RANK[item.edge.health]);
    bad.sort((a, b) => RANK[a.edge.health] - RANK[b.edge.health]);
    this.#layer.append(...bad.map((item) => item.group));
  }
}
