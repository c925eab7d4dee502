// <event-path>: the path of one event as a tree from left to right: who wrote it, where it lay, who read it.

import { sign, svg } from "../lib/svg.js";
import { cut, shown } from "../lib/text.js";
import { arrange } from "./path/arrange.js";

const COLUMN = 248;
const ROW = 76;
const WIDTH = 176;
const HEIGHT = 46;
const MARGIN = 16;
const NAME_LENGTH = 24;
const CAP = 9;
const SIGNS = { ok: "ok", failed: "failing", received: "passed", passed: "passed", waiting: "waiting" };

class EventPath extends HTMLElement {
  connectedCallback() {
    const data = JSON.parse(document.getElementById(this.dataset.source).textContent);
    const { boxes, wires, columns, rows } = arrange(data.hops);
    const width = columns * COLUMN - (COLUMN - WIDTH) + 2 * MARGIN;
    const height = rows * ROW + 2 * MARGIN;
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Path of the event over ${data.hops.length} hops; the table below says the same.` });
    for (const wire of wires) picture.append(drawWire(wire));
    for (const box of boxes) picture.append(this.#drawBox(box, data.start));
    this.append(picture);
  }

  #drawBox(box, start) {
    const { x, y } = place(box);
    const group = svg("g", { transform: `translate(${x} ${y})`, class: `step ${box.kind} ${box.result ?? "ok"}${box.kind === "event" && start.includes(box.hop) ? " current" : ""}` });
    group.append(svg("path", { class: "shape", d: box.kind === "event" ? cylinder() : rounded() }));
    if (box.kind === "event") group.append(svg("path", { class: "rim", d: `M${WIDTH - CAP} 0A${CAP} ${HEIGHT / 2} 0 0 0 ${WIDTH - CAP} ${HEIGHT}` }));
    const name = svg("text", { class: "name", x: WIDTH / 2, y: 20 }, cut(shown(box.title), NAME_LENGTH));
    const note = svg("text", { class: "note", x: WIDTH / 2, y: 37 }, cut(shown(box.note), NAME_LENGTH + 4));
    group.append(svg("title", {}, `${shown(box.title)} ${shown(box.note)}`), box.url ? svg("a", { href: box.url }, name) : name, note);
    if (box.kind === "service" && box.result) group.append(sign(SIGNS[box.result] ?? "unknown", { x: -4, y: -8, width: 16, height: 16, class: "icon health" }));
    if (box.retryUrl) group.append(svg("a", { href: box.retryUrl, class: "retry" }, svg("text", { x: WIDTH, y: HEIGHT + 15, "text-anchor": "end" }, "Retry…")));
    if (box.reason) group.append(svg("text", { class: "reason", x: 0, y: HEIGHT + 15 }, cut(shown(box.reason), 26)));
    return group;
  }
}

function drawWire({ from, to, label, result, evidence }) {
  const a = place(from);
  const b = place(to);
  const [x1, y1, x2, y2] = [a.x + WIDTH, a.y + HEIGHT / 2, b.x - 8, b.y + HEIGHT / 2];
  const bend = (x2 - x1) / 2;
  const group = svg("g", { class: `wire ${result ?? "ok"} ${evidence ?? ""}` });
  group.append(svg("path", { class: "line", d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}` }));
  group.append(svg("path", { class: "head", d: `M${x2 + 7} ${y2}l-9 -4.5v9Z` }));
  if (label) group.append(svg("text", { class: "label", x: b.x - 10, y: y2 - 8, "text-anchor": "end" }, label));
  return group;
}

const place = (box) => ({ x: MARGIN + box.column * COLUMN, y: MARGIN + box.row * ROW });
const rounded = () => `M8 0H${WIDTH - 8}Q${WIDTH} 0 ${WIDTH} 8V${HEIGHT - 8}Q${WIDTH} ${HEIGHT} ${WIDTH - 8} ${HEIGHT}H8Q0 ${HEIGHT} 0 ${HEIGHT - 8}V8Q0 0 8 0Z`;
const cylinder = () => `M${CAP} 0H${WIDTH - CAP}A${CAP} ${HEIGHT / 2} 0 0 1 ${WIDTH - CAP} ${HEIGHT}H${CAP}A${CAP} ${HEIGHT / 2} 0 0 1 ${CAP} 0Z`;

customElements.define("event-path", EventPath);
