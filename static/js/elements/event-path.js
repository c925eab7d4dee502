// <event-path>: the path of one event from left to right: who wrote it, where it lay, who read it, what came of it.
// Only what is in sight is drawn, so that a path of a thousand hops pans like one of ten.

import { say } from "../lib/say.js";
import { sign, svg } from "../lib/svg.js";
import { cut, fits, fitting, shown } from "../lib/text.js";
import { arrange } from "./path/arrange.js";

const COLUMN = 300;
const ROW = 76;
const WIDTH = 184;
const HEIGHT = 46;
const MARGIN = 16;
const LETTERS = 12; // px
const NOTE_SHARE = 1.12; // how much more fits in letters that are not bold
const CAP = 9;
const TRUNK = 18; // from a box to where its wires part
const TURN = 8;
const AHEAD = 3; // columns that are drawn beyond the edges
const SIGNS = { ok: "ok", failed: "failing", received: "passed", passed: "passed", waiting: "waiting" };

class EventPath extends HTMLElement {
  #opened = new Set();
  #drawing = null;
  #wires = null;
  #boxes = null;
  #shown = new Map();
  #frame = 0;

  connectedCallback() {
    this.draw();
    this.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.addEventListener("click", (event) => this.#open(event));
    this.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && this.#open(event));
    this.#watch = new ResizeObserver(() => this.#soon());
    this.#watch.observe(this);
    this.#toStart();
  }

  disconnectedCallback() {
    this.#watch?.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  #watch = null;

  /** Reads the data anew; scroll, selection and what was opened stay. */
  draw() {
    const data = JSON.parse(document.getElementById(this.dataset.source).textContent);
    const focused = document.activeElement?.closest?.("[data-box]")?.dataset.box;
    this.#drawing = arrange(data, this.#opened);
    const { columns, rows } = this.#drawing;
    const width = columns * COLUMN - (COLUMN - WIDTH) + 2 * MARGIN;
    const height = rows * ROW + 2 * MARGIN - 8;
    this.#wires = svg("g", { "aria-hidden": "true" });
    this.#boxes = svg("g", {});
    this.#shown.clear();
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Path of the event over ${data.hops.length} hops; the table below says the same.` }, this.#wires, this.#boxes);
    this.#drawing.start = new Set(data.start);
    this.replaceChildren(picture);
    this.#sight();
    if (focused) this.querySelector(`[data-box="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** Marks the hop that the address names. */
  select(hop) {
    this.dataset.selected = hop ?? "";
    for (const box of this.querySelectorAll("[data-hop]")) box.classList.toggle("selected", box.dataset.hop === String(hop));
  }

  #toStart() {
    const first = this.#drawing.boxes.find((box) => this.#drawing.start.has(box.hop) && box.kind === "event");
    if (first) this.scrollLeft = Math.max(0, place(first).x - this.clientWidth / 3);
    this.#sight();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#sight();
    });
  }

  #sight() {
    const from = this.scrollLeft / COLUMN - AHEAD;
    const to = (this.scrollLeft + (this.clientWidth || 1600)) / COLUMN + AHEAD;
    const wanted = new Set();
    for (const wire of this.#drawing.wires) if (wire.to.column >= from && wire.from.column <= to) wanted.add(wire);
    for (const box of this.#drawing.boxes) if (box.column >= from && box.column <= to) wanted.add(box);
    for (const [thing, element] of this.#shown) {
      if (wanted.has(thing) || element.contains(document.activeElement)) continue;
      element.remove();
      this.#shown.delete(thing);
    }
    for (const thing of wanted) {
      if (this.#shown.has(thing)) continue;
      const element = "from" in thing ? drawWire(thing) : this.#drawBox(thing);
      ("from" in thing ? this.#wires : this.#boxes).append(element);
      this.#shown.set(thing, element);
    }
  }

  #drawBox(box) {
    const { x, y } = place(box);
    const isCurrent = box.kind === "event" && this.#drawing.start.has(box.hop);
    const isSelected = box.hop !== undefined && this.dataset.selected === String(box.hop) && box.kind !== "gap";
    const group = svg("g", { transform: `translate(${x} ${y})`, class: `step ${box.kind} ${box.result ?? ""}${isCurrent ? " current" : ""}${isSelected ? " selected" : ""}${box.late ? " late" : ""}` });
    if (box.hop !== undefined) group.dataset.hop = box.hop;
    const face = box.key ? svg("g", { role: "button", tabindex: 0, "data-fold": box.key, "data-box": box.key, class: "face" }) : box.url ? svg("a", { href: box.url, "data-box": box.url, class: "face" }) : box.hop === undefined ? svg("g", { class: "face" }) : svg("a", { href: hopAddress(box.hop), "data-box": `${box.kind}:${box.hop}`, "data-select": box.hop, class: "face" });
    face.append(svg("title", {}, `${shown(box.title)}, ${shown(box.note)}`), svg("path", { class: "shape", d: box.kind === "event" ? cylinder() : rounded() }));
    if (box.kind === "event") face.append(svg("path", { class: "rim", d: `M${WIDTH - CAP} 0A${CAP} ${HEIGHT / 2} 0 0 0 ${WIDTH - CAP} ${HEIGHT}` }));
    const isEvent = box.kind === "event";
    const room = (WIDTH - (isEvent ? 3 * CAP : 12)) / LETTERS;
    const middle = isEvent ? WIDTH / 2 - CAP / 2 - 2 : WIDTH / 2;
    face.append(svg("text", { class: "name", x: middle, y: box.note ? 20 : 28 }, fitting(shown(box.title), room)));
    const isSplit = Boolean(box.spare && box.brief) && !fits(shown(box.note), room * NOTE_SHARE);
    if (box.note) face.append(svg("text", { class: "note", x: middle, y: 37 }, fitting(shown(isSplit ? box.brief : box.note), room * NOTE_SHARE)));
    if (isSplit && !box.reason) face.append(svg("text", { class: "note under", x: 0, y: HEIGHT + 15 }, fitting(shown(box.spare), room * NOTE_SHARE)));
    group.append(face);
    if (box.kind === "service" && box.result) group.append(sign(SIGNS[box.result] ?? "unknown", { x: -4, y: -8, width: 16, height: 16, class: "icon health" }));
    if (box.reason) group.append(svg("text", { class: "reason", x: 0, y: HEIGHT + 15 }, cut(shown(box.reason.split(".").at(-1)), 27)));
    if (box.retryUrl) group.append(svg("a", { href: box.retryUrl, class: "retry" }, svg("text", { x: WIDTH, y: HEIGHT + 16, "text-anchor": "end" }, "Retry…")));
    return group;
  }

  #open(event) {
    const fold = event.target.closest?.("[data-fold]");
    if (!fold) return;
    event.preventDefault();
    this.#opened.add(fold.dataset.fold);
    const before = this.#drawing.boxes.length;
    this.draw();
    say(`${this.#drawing.boxes.length - before} more shown`);
  }
}

function drawWire({ from, to, label, result, evidence }) {
  const a = place(from);
  const b = place(to);
  const [x1, y1, x2, y2] = [a.x + WIDTH, a.y + HEIGHT / 2, b.x - 8, b.y + HEIGHT / 2];
  const trunk = x1 + TRUNK;
  const turn = Math.sign(y2 - y1) * TURN;
  const way = turn ? `M${x1} ${y1}H${trunk - TURN}Q${trunk} ${y1} ${trunk} ${y1 + turn}V${y2 - turn}Q${trunk} ${y2} ${trunk + TURN} ${y2}H${x2}` : `M${x1} ${y1}H${x2}`;
  const group = svg("g", { class: `wire ${result ?? "ok"} ${evidence ?? ""}` });
  group.append(svg("path", { class: "line", d: way }));
  group.append(svg("path", { class: "head", d: `M${x2 + 7} ${y2}l-9 -4.5v9Z` }));
  if (label) group.append(svg("text", { class: "label", x: b.x - 10, y: y2 - 8, "text-anchor": "end" }, label));
  return group;
}

function hopAddress(hop) {
  const url = new URL(location.href);
  url.searchParams.set("sel", `hop:${hop + 1}`);
  url.hash = "";
  return `${url.pathname}${url.search}`;
}

const place = (box) => ({ x: MARGIN + box.column * COLUMN, y: MARGIN + box.row * ROW });
const rounded = () => `M8 0H${WIDTH - 8}Q${WIDTH} 0 ${WIDTH} 8V${HEIGHT - 8}Q${WIDTH} ${HEIGHT} ${WIDTH - 8} ${HEIGHT}H8Q0 ${HEIGHT} 0 ${HEIGHT - 8}V8Q0 0 8 0Z`;
const cylinder = () => `M${CAP} 0H${WIDTH - CAP}A${CAP} ${HEIGHT / 2} 0 0 1 ${WIDTH - CAP} ${HEIGHT}H${CAP}A${CAP} ${HEIGHT / 2} 0 0 1 ${CAP} 0Z`;

customElements.define("event-path", EventPath);
