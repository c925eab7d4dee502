// The whole drawing in a corner, where it does not fit: what is in sight is framed, a click or a drag goes there.

import { colour } from "../chart/gaps.js";

const WIDTH = 168;
const MOST_HEIGHT = 112;
const LOOKS = ["(prefers-color-scheme: dark)", "(forced-colors: active)"];
const TOKENS = { ok: "--ok", degraded: "--warn", failing: "--bad", idle: "--idle", unknown: "--idle" };

export class Minimap {
  #canvas = document.createElement("canvas");
  #places = [];
  #bounds = null;
  #scale = 1;
  #frame = 0;
  #taken = "";
  #drawn = "";
  #looks = LOOKS.map((query) => matchMedia(query));

  constructor(parent, goTo) {
    this.#canvas.className = "minimap";
    this.#canvas.setAttribute("aria-hidden", "true");
    this.#canvas.hidden = true;
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
    const whole = this.#bounds;
    const fits = !whole || (sight.left <= whole.left + whole.size.width && sight.right >= whole.left + whole.width - whole.size.width && sight.top <= whole.top + whole.size.height && sight.bottom >= whole.top + whole.height - whole.size.height);
    this.#canvas.hidden = fits;
    const wanted = [this.#taken, ...Object.values(sight), ...this.#looks.map((look) => look.matches), document.documentElement.dataset.theme].join();
    if (fits || wanted === this.#drawn) return;
    this.#drawn = wanted;
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw(sight));
  }

  #draw(sight) {
    const { left, top, width, height, size } = this.#bounds;
    this.#scale = Math.min(WIDTH / width, MOST_HEIGHT / height);
    const density = devicePixelRatio || 1;
    const [w, h] = [Math.max(40, width * this.#scale), Math.max(24, height * this.#scale)];
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
