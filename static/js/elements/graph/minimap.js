// The whole drawing in a corner, where it does not fit: what is in sight is framed, a click or a drag goes there. It covers
// no node unless somebody wants it: it stands in a corner that is free, or comes with a press of its button.

import { colour } from "../chart/gaps.js";

const WIDEST = 168;
const SHARE = 0.3; // of the picture's width
const MOST_HEIGHT = 112;
const EDGE = 8;
const ABOVE_BUTTONS = 48;
const CORNERS = ["bottom right", "top right", "top left", "bottom left"];
const LOOKS = ["(prefers-color-scheme: dark)", "(forced-colors: active)"];
const TOKENS = { ok: "--ok", degraded: "--warn", failing: "--bad", idle: "--idle", unknown: "--idle" };

export class Minimap {
  #canvas = document.createElement("canvas");
  #button;
  #places = [];
  #bounds = null;
  #room = { width: 0, height: 0 };
  #scale = 1;
  #frame = 0;
  #taken = "";
  #drawn = "";
  #sight = null;
  #isWanted = null; // by a press of the button; null: as there is room
  #corner = CORNERS[0];
  #looks = LOOKS.map((query) => matchMedia(query));

  /** `button` shows and hides it, `goTo` brings a place of the drawing into the middle. */
  constructor(parent, button, goTo) {
    this.#canvas.className = "minimap";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#canvas.hidden = true;
    this.#button = button;
    button.hidden = true;
    button.addEventListener("click", () => {
      this.#isWanted = this.#canvas.hidden;
      this.#reveal();
    });
    const go = (event) => {
      if (event.buttons !== 1) return;
      const box = this.#canvas.getBoundingClientRect();
      goTo(this.#bounds.left + (event.clientX - box.left) / this.#scale, this.#bounds.top + (event.clientY - box.top) / this.#scale);
    };
    this.#canvas.addEventListener("pointerdown", (event) => {
      this.#canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    this.#canvas.addEventListener("pointermove", go);
    parent.append(this.#canvas);
  }

  /** `places`: {x, y, health} of all nodes, of this size. */
  take(places, size) {
    const taken = `${size.width} ${size.height} ${places.map(({ x, y, health }) => `${x} ${y} ${health}`).join()}`;
    if (!places.length || taken === this.#taken) return;
    this.#taken = taken;
    this.#places = places;
    const xs = places.map((place) => place.x);
    const ys = places.map((place) => place.y);
    const [left, top] = [Math.min(...xs) - size.width, Math.min(...ys) - size.height];
    this.#bounds = { left, top, width: Math.max(...xs) + size.width - left, height: Math.max(...ys) + size.height - top, size };
  }

  /** Shows what is in sight: {left, top, right, bottom} of the drawing. Drawn with the next picture, if it is another one. */
  show(sight) {
    this.#sight = sight;
    const wanted = [this.#taken, this.#room.width, ...Object.values(sight), ...this.#looks.map((look) => look.matches), document.documentElement.dataset.theme].join();
    if (this.#canvas.hidden || wanted === this.#drawn) return;
    this.#drawn = wanted;
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw(sight));
  }

  /** The picture, of this size, stands still: which corner is free now? Never while it moves or is pointed at. */
  settle(room) {
    if (room.width) this.#room = room;
    if (room.width && this.#bounds && this.#sight && !this.#canvas.matches(":hover")) this.#reveal();
  }

  #reveal() {
    const [whole, sight] = [this.#bounds, this.#sight];
    const fits = sight.left <= whole.left + whole.size.width && sight.right >= whole.left + whole.width - whole.size.width && sight.top <= whole.top + whole.size.height && sight.bottom >= whole.top + whole.height - whole.size.height;
    const free = [this.#corner, ...CORNERS].find((corner) => this.#isFree(corner));
    this.#corner = free ?? CORNERS[0];
    this.#canvas.dataset.corner = this.#corner;
    this.#canvas.hidden = fits || !(this.#isWanted ?? Boolean(free));
    this.#button.hidden = fits;
    this.#button.setAttribute("aria-pressed", String(!this.#canvas.hidden));
    this.show(sight);
  }

  #isFree(corner) {
    const { width, height } = this.#room;
    const scale = width / (this.#sight.right - this.#sight.left);
    const [w, h] = this.#size();
    const x = corner.endsWith("right") ? width - EDGE - w / 2 : EDGE + w / 2;
    const y = corner.startsWith("top") ? EDGE + h / 2 : height - (corner.endsWith("left") ? ABOVE_BUTTONS : EDGE) - h / 2;
    const middle = { x: this.#sight.left + x / scale, y: this.#sight.top + y / scale };
    const { size } = this.#bounds;
    const covers = (place) => Math.abs(place.x - middle.x) < (w / scale + size.width) / 2 && Math.abs(place.y - middle.y) < (h / scale + size.height) / 2;
    return !this.#places.some(covers);
  }

  /** In pixels of the page. */
  #size() {
    const { width, height } = this.#bounds;
    this.#scale = Math.min(Math.min(WIDEST, this.#room.width * SHARE) / width, MOST_HEIGHT / height);
    return [Math.max(40, width * this.#scale), Math.max(24, height * this.#scale)];
  }

  #draw(sight) {
    const [w, h] = this.#size();
    const { left, top, size } = this.#bounds;
    const density = devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: w * density, height: h * density });
    this.#canvas.style.width = `${w}px`;
    this.#canvas.style.height = `${h}px`;
    const pen = this.#canvas.getContext("2d");
    pen.scale(density * this.#scale, density * this.#scale);
    pen.translate(-left, -top);
    const colours = new Map(Object.entries(TOKENS).map(([health, token]) => [health, colour(token)]));
    for (const place of this.#places) {
      pen.fillStyle = colours.get(place.health) ?? colours.get("idle");
      pen.fillRect(place.x - size.width / 2, place.y - size.height / 2, size.width, size.height);
    }
    pen.strokeStyle = colour("--link");
    pen.lineWidth = 2 / this.#scale;
    pen.strokeRect(sight.left, sight.top, sight.right - sight.left, sight.bottom - sight.top);
  }
}
