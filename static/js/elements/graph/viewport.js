// Pan and zoom of the graph: drag, wheel, pinch, keys and buttons. Never smaller than a person can aim at.

import { NAME_SIZE } from "./shapes.js";

const LEAST = 0.2;
const MOST = 2.5;
const FIT_MOST = 1.15;
const MARGIN = 16;
const BUTTONS = 40; // at the bottom left
const LABELS_FROM = 0.7;
const READING = 0.85; // where all at once would be too small
const NUMBERS_FROM = 0.5;
const SMALLEST_TEXT = 11;
const NAMES_FROM = 0.3; // smaller, a name of this size does not fit into its node
const STEP = 1.12; // of the size of letters: names are not fitted anew for less
const SETTLED_MS = 120;

export class Viewport {
  #svg;
  #world;
  #pointers = new Map();
  #moved = false;
  #settling = 0;
  #measured = null;
  #changed;
  #settled;
  touched = false; // whether a person panned or zoomed since the last fit
  x = 0;
  y = 0;
  scale = 1;
  nameSize = NAME_SIZE; // pixels of the picture: the smaller it is drawn, the larger its letters

  /** `changed` is called with every move, `settled` a moment after the last. */
  constructor(svgElement, world, { changed, settled }) {
    this.#svg = svgElement;
    this.#world = world;
    this.#changed = changed;
    this.#settled = settled;
    new ResizeObserver(() => this.#resized()).observe(svgElement);
    addEventListener("scroll", () => (this.#measured = null), { passive: true, capture: true });
    svgElement.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    svgElement.addEventListener("pointerdown", (event) => this.#down(event));
    svgElement.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svgElement.addEventListener(name, (event) => this.#up(event));
  }

  /** Whether the pointer that just went up had dragged the picture. */
  get dragged() {
    return this.#moved;
  }

  /** What is in sight, in the drawing's own pixels, and `more` of it around. */
  sight(more = 0) {
    const { width, height } = this.#box;
    const [left, top] = [-this.x / this.scale, -this.y / this.scale];
    const [w, h] = [width / this.scale, height / this.scale];
    return { left: left - w * more, top: top - h * more, right: left + w * (1 + more), bottom: top + h * (1 + more) };
  }

  /** How large the picture is on the page. */
  get room() {
    return this.#box;
  }

  /** Whether numbers on edges can be read at this size. */
  get readable() {
    return this.scale >= LABELS_FROM;
  }

  /** Whether it is too small for the numbers on nodes. */
  get isFar() {
    return this.scale < NUMBERS_FROM;
  }

  /** Brings this place of the drawing into the middle. */
  centre(x, y) {
    const { width, height } = this.#box;
    this.x = width / 2 - x * this.scale;
    this.y = height / 2 - y * this.scale;
    this.touched = true;
    this.#draw();
  }

  /** Shows all of these places (middles of nodes of this size, with so much `side` beside them), hardly above natural size. */
  fit(nodes, { width, height, side }) {
    if (!nodes.length) return;
    this.#measured = null;
    const box = this.#box;
    const xs = nodes.map((node) => node.x);
    const ys = nodes.map((node) => node.y);
    const left = Math.min(...xs) - width / 2 - side;
    const top = Math.min(...ys) - height / 2 - MARGIN;
    const w = Math.max(...xs) + width / 2 + side - left;
    const h = Math.max(...ys) + height / 2 + MARGIN - top;
    this.scale = Math.max(LEAST, Math.min(FIT_MOST, box.width / w, (box.height - BUTTONS) / h));
    this.x = (box.width - w * this.scale) / 2 - left * this.scale;
    this.y = (box.height - BUTTONS - h * this.scale) / 2 - top * this.scale;
    this.touched = false;
    this.#draw();
  }

  /** Zooms around a place of the picture (the middle by default). */
  zoom(factor, at = null) {
    const box = this.#box;
    const [px, py] = at ?? [box.width / 2, box.height / 2];
    const scale = Math.max(LEAST, Math.min(MOST, this.scale * factor));
    const real = scale / this.scale;
    this.x = px - (px - this.x) * real;
    this.y = py - (py - this.y) * real;
    this.scale = scale;
    this.touched = true;
    this.#draw();
  }

  /** Shows this place readably, where everything at once is too small, and as much as there is room for around it. */
  closeUp(node, nodes, size) {
    const { width, height } = this.#box;
    this.scale = READING;
    const inside = (middle, room, places, half) => {
      const [least, most] = [Math.min(...places) - half, Math.max(...places) + half];
      if ((most - least) * this.scale < room) return (room - (least + most) * this.scale) / 2;
      return Math.min(-least * this.scale, Math.max(room - most * this.scale, room / 2 - middle * this.scale));
    };
    this.x = inside(node.x, width, nodes.map((each) => each.x), size.width / 2 + size.side);
    this.y = inside(node.y, height - BUTTONS, nodes.map((each) => each.y), size.height / 2 + MARGIN);
    this.#draw();
  }

  /** Moves the picture as little as needed so that the node at this place is inside. */
  reveal(node, size) {
    const { width, height } = this.#box;
    const x = node.x * this.scale + this.x;
    const y = node.y * this.scale + this.y;
    const dx = (size.width / 2) * this.scale + MARGIN;
    const dy = (size.height / 2) * this.scale + MARGIN;
    this.x += Math.max(0, dx - x) - Math.max(0, x - (width - dx));
    this.y += Math.max(0, dy - y) - Math.max(0, y - (height - dy));
    this.#draw();
  }

  /** More or less of the picture is in sight. */
  #resized() {
    const before = this.#measured;
    this.#measured = null;
    if (before && before.width === this.#box.width && before.height === this.#box.height) return;
    this.#changed();
    this.settle();
  }

  #draw() {
    this.#world.setAttribute("transform", `translate(${this.x.toFixed(1)} ${this.y.toFixed(1)}) scale(${this.scale.toFixed(4)})`);
    this.#world.classList.add("moving");
    this.#svg.classList.toggle("farther", this.scale < NUMBERS_FROM);
    this.#svg.classList.toggle("farthest", this.scale < NAMES_FROM);
    this.#changed();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** The size of letters follows the scale, in steps; then the others are told. */
  settle() {
    clearTimeout(this.#settling);
    this.#world.classList.remove("moving");
    const size = this.scale >= SMALLEST_TEXT / NAME_SIZE ? NAME_SIZE : NAME_SIZE * STEP ** Math.ceil(Math.log(SMALLEST_TEXT / this.scale / NAME_SIZE) / Math.log(STEP));
    if (size !== this.nameSize) {
      this.nameSize = size;
      this.#world.style.setProperty("--name-size", `${size.toFixed(2)}px`);
      this.#world.style.setProperty("--label-size", `${size.toFixed(2)}px`);
    }
    this.#settled();
  }

  /** Measured once for each size: asking makes the browser lay out everything that was just written. */
  get #box() {
    this.#measured ??= this.#svg.getBoundingClientRect();
    return this.#measured;
  }

  #wheel(event) {
    event.preventDefault();
    const box = this.#box;
    this.zoom(Math.exp(-event.deltaY * 0.0015), [event.clientX - box.left, event.clientY - box.top]);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.#moved = false;
  }

  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    if (!event.buttons) return void this.#pointers.delete(event.pointerId); // let go outside
    const next = [event.clientX, event.clientY];
    if (this.#pointers.size === 2) this.#pinch(event.pointerId, last, next);
    else this.#pan(event, last, next);
  }

  #pan(event, last, next) {
    if (!this.#moved && Math.hypot(next[0] - last[0], next[1] - last[1]) < 4) return;
    if (!this.#moved) this.#svg.setPointerCapture(event.pointerId);
    this.#moved = true;
    this.touched = true;
    this.x += next[0] - last[0];
    this.y += next[1] - last[1];
    this.#pointers.set(event.pointerId, next);
    this.#draw();
  }

  #pinch(id, last, next) {
    const other = [...this.#pointers].find(([key]) => key !== id)[1];
    const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
    const after = Math.hypot(next[0] - other[0], next[1] - other[1]);
    const box = this.#box;
    this.#moved = true;
    this.#pointers.set(id, next);
    if (before > 0) this.zoom(after / before, [(next[0] + other[0]) / 2 - box.left, (next[1] + other[1]) / 2 - box.top]);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
  }
}
