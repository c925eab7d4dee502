// The numbers on edges: only those in sight and large enough to read. Failing beats degraded beats busiest; the loser
// shows when it is pointed at or selected.

import { svg } from "../../lib/svg.js";
import { breadth } from "../../lib/text.js";
import { DIFFS, MARKS, OLD, edgeLabel } from "./captions.js";
import { put } from "./shapes.js";

const RANK = { failing: 2, degraded: 1 };
const NEAR = 4; // rank of what is selected
const LINE = 1.25;
const OVER = 2; // how far a label may reach over a node
const CELL = 128;

export class Labels {
  #layer;
  #items = new Map();
  #pointed = null;
  choice = "rate";

  constructor(layer) {
    this.#layer = layer;
  }

  /** Shows the label of this edge, even where it lost its place. */
  point(id, draw) {
    if (this.#pointed === id) return;
    this.#pointed = id;
    draw();
  }

  /** Writes labels of `edges`. `sight`: what is in sight; `readable`: whether more than trouble is said at this size. */
  draw(edges, { anchors, places, size, letters, sight, readable, kept }) {
    const grid = new Grid();
    const [width, height] = [size.width / 2 - OVER, size.height / 2 + 1];
    for (const place of places) grid.add({ left: place.x - width, right: place.x + width, top: place.y - height, bottom: place.y + height, node: true });
    const rank = (edge) => (edge.diff ? 3 : RANK[edge.health] ?? 0) + (edge.contradictions?.length ? 0.5 : 0) + (kept?.has(edge.id) ? NEAR : 0) + (edge.id === this.#pointed ? 2 * NEAR : 0);
    const wanted = [];
    for (const edge of edges.values()) {
      const text = readable || rank(edge) ? edgeLabel(edge, this.choice) : "";
      const spots = text ? anchors(edge.id).filter(({ x, y }) => x > sight.left && x < sight.right && y > sight.top && y < sight.bottom) : [];
      if (spots.length) wanted.push({ edge, text, spots, rank: rank(edge) });
    }
    wanted.sort((a, b) => b.rank - a.rank || (b.edge.rate ?? 0) - (a.edge.rate ?? 0));
    const shown = new Set();
    for (const { edge, text: whole, spots, rank: worth } of wanted) {
      const tall = (LINE * letters) / 2;
      const around = (said) => {
        const half = (breadth(said) * letters) / 2;
        return spots.map(({ x, y }) => ({ x, y, left: x - half, right: x + half, top: y - tall, bottom: y + tall }));
      };
      let text = whole;
      let boxes = around(text);
      const sign = DIFFS[edge.diff] ?? MARKS[edge.health];
      const isSpared = worth < NEAR || (edge.diff && edge.id !== this.#pointed); // the panel says what differs
      if (sign && isSpared && boxes.every((box) => grid.hits(box))) boxes = around((text = sign)); // room for the sign alone
      const free = boxes.find((box) => !grid.hits(box)) ?? (worth >= NEAR ? boxes[0] : null) ?? (worth && !edge.diff ? boxes.find((box) => !grid.hits(box, { nodes: false })) : null);
      if (!free) continue;
      grid.add(free);
      this.#write(edge, text, free, kept?.has(edge.id) ?? false);
      shown.add(edge.id);
    }
    for (const [id, item] of this.#items) {
      if (shown.has(id)) continue;
      item.group.remove();
      this.#items.delete(id);
    }
  }

  #write(edge, text, { x, y }, isNear) {
    let item = this.#items.get(edge.id);
    if (!item) {
      item = { group: svg("text", { "data-id": edge.id, "text-anchor": "middle" }) };
      this.#items.set(edge.id, item);
      this.#layer.append(item.group);
    }
    put(item.group, text);
    const name = `label ${edge.health}${text.includes(OLD) ? " stale" : ""}${isNear ? " near" : ""}${edge.diff ? ` diff-${edge.diff}` : ""}`;
    if (item.name !== name) item.group.setAttribute("class", (item.name = name));
    const place = `${x.toFixed(1)} ${(y + 4).toFixed(1)}`;
    if (item.place === place) return;
    item.place = place;
    item.group.setAttribute("x", x.toFixed(1));
    item.group.setAttribute("y", (y + 4).toFixed(1));
  }
}

/** Boxes by the cells they lie in. */
class Grid {
  #cells = new Map();

  add(box) {
    for (const key of cells(box)) {
      if (this.#cells.has(key)) this.#cells.get(key).push(box);
      else this.#cells.set(key, [box]);
    }
  }

  hits(box, { nodes = true } = {}) {
    for (const key of cells(box)) {
      for (const other of this.#cells.get(key) ?? []) {
        if ((nodes || !other.node) && other.left < box.right && other.right > box.left && other.top < box.bottom && other.bottom > box.top) return true;
      }
    }
    return false;
  }
}

function* cells(box) {
  for (let column = Math.floor(box.left / CELL); column <= Math.floor(box.right / CELL); column += 1) {
    for (let row = Math.floor(box.top / CELL); row <= Math.floor(box.bottom / CELL); row += 1) yield column * 100003 + row;
  }
}
