// Titled frames around the members of an open group.

import { set, svg } from "../../lib/svg.js";
import { shown } from "../../lib/text.js";
import { put } from "./shapes.js";

const HIGH = 24;

export class Frames {
  #layer;
  #items = new Map();

  constructor(layer, close) {
    this.#layer = layer;
    layer.addEventListener("click", (event) => {
      const id = event.target.closest(".frame .title")?.parentNode.dataset.frame;
      if (id) close(id);
      if (id) event.stopPropagation();
    });
  }

  /** Middles of nodes that would just fit into the corners of frames: what must be in sight so that these are. */
  corners(frames, { x, y, size }) {
    const [w, h] = [size.width / 2, size.height / 2];
    return frames.flatMap((frame) => [
      { x: frame.x * x + w, y: frame.y * y + h - HIGH },
      { x: (frame.x + frame.width) * x - w, y: (frame.y + frame.height) * y - h },
    ]);
  }

  /** Draws these frames ({id, name, n_nodes, x, y, width, height}: left, top) on a drawing that is stretched so. */
  draw(frames, stretch) {
    const kept = new Set(frames.map((frame) => frame.id));
    for (const frame of frames) {
      let item = this.#items.get(frame.id);
      if (!item) {
        const group = svg("g", { class: "frame", "data-frame": frame.id });
        const [rect, tab, text] = [svg("rect", { class: "border", rx: 10 }), svg("rect", { class: "title", rx: 6, height: HIGH }), svg("text", { class: "title" })];
        group.append(rect, tab, text, svg("title", {}, "Close this group"));
        item = { group, rect, tab, text };
        this.#items.set(frame.id, item);
        this.#layer.append(group);
      }
      const [x, y, width, height] = [frame.x * stretch.x, frame.y * stretch.y, frame.width * stretch.x, frame.height * stretch.y].map(Math.round);
      set(item.rect, { x, y, width, height });
      put(item.text, `− ${shown(frame.name)} · ${frame.n_nodes}`);
      set(item.text, { x: x + 12, y: y + 1 });
      set(item.tab, { x: x + 4, y: y - HIGH / 2 - 4, width: Math.round(16 + item.text.textContent.length * 7.4) });
    }
    for (const [id, item] of this.#items) {
      if (kept.has(id)) continue;
      item.group.remove();
      this.#items.delete(id);
    }
  }
}
