// The nodes on the drawing: written once, afterwards only what changed.

import { svg } from "../../lib/svg.js";
import { breadth } from "../../lib/text.js";
import { nameOf, nodeLabel, nodeNumbers } from "./captions.js";
import { fitName, nodeClass, nodeParts, put, shapeOf, writeHealth } from "./shapes.js";
import { sign, stand } from "./signs.js";

const NEW_MS = 60000;
const MOST_PULSES = 20;
const INSET = 12;
const PLAIN = 0.92; // plain letters beside bold ones

export class NodeLayer {
  #layer;
  #items = new Map();
  #newUntil = new Map();
  #found = new Set();
  #active = null;
  #readers = new Map();
  #far = false;

  constructor(layer) {
    this.#layer = layer;
    layer.addEventListener("pointerover", (event) => {
      const item = this.#items.get(event.target.closest(".node")?.dataset.id);
      if (item) this.#name(item);
    });
    layer.addEventListener("animationend", (event) => event.target.closest(".node")?.classList.remove("pulse"));
  }

  get size() {
    return this.#items.size;
  }

  group(id) {
    return this.#items.get(id)?.group;
  }

  /** The health that is drawn for a node, or undefined. */
  health(id) {
    return this.#items.get(id)?.health.dataset.level;
  }

  /** Draws these nodes; `readers`: number of edges out of a topic; `far`: too small for numbers. */
  draw(nodes, { at, size, nameSize, readers, far }) {
    this.#readers = readers;
    this.#far = far;
    let pulses = 0;
    for (const node of nodes.values()) {
      const shape = shapeOf(node, size);
      let item = this.#items.get(node.id);
      if (!item || item.shape !== shape) item = this.#make(node, size, shape);
      const changed = item.node !== node;
      if (changed && item.node && item.node.health !== node.health && pulses < MOST_PULSES) {
        item.pulse = true;
        pulses += 1;
      }
      const { x, y } = at(node);
      const moved = item.place === null || item.place.x !== x || item.place.y !== y;
      if (changed || item.nameSize !== nameSize || item.far !== far) this.#write(item, node, size, nameSize);
      item.place = { x, y };
      if (moved) stand([...item.outline, ...item.sign, ...item.clock, ...item.tag, ...Object.values(item.texts)], item.place);
      if (changed) this.#setClass(item);
      this.#tagNew(item, size);
    }
    for (const [id, item] of this.#items) {
      if (nodes.has(id)) continue;
      item.group.remove();
      this.#items.delete(id);
    }
    for (const [id, until] of this.#newUntil) if (!this.#items.has(id) && Date.now() >= until) this.#newUntil.delete(id);
  }

  /** Only names and numbers: the drawing got another size. */
  refit(size, nameSize, far) {
    this.#far = far;
    for (const item of this.#items.values()) {
      if (item.nameSize !== nameSize || item.far !== far) this.#fit(item, size, nameSize);
      if (!far) this.#count(item);
    }
  }

  /** These nodes are new for a minute. */
  announce(ids) {
    for (const id of ids) this.#newUntil.set(id, Date.now() + NEW_MS);
  }

  /** Which are dimmed and which selected. */
  select(kept, selected) {
    for (const [id, item] of this.#items) {
      item.kept = `${kept !== null && !kept.has(id) ? " dim" : ""}${selected.includes(id) ? " selected" : ""}`;
      this.#setClass(item);
    }
  }

  mark(ids) {
    this.#found = new Set(ids);
    for (const item of this.#items.values()) this.#setClass(item);
  }

  activate(id) {
    const before = this.#items.get(this.#active);
    this.#active = id;
    for (const item of [before, this.#items.get(id)]) if (item) this.#setClass(item);
    if (this.#items.has(id)) this.#name(this.#items.get(id));
  }

  #make(node, size, shape) {
    const old = this.#items.get(node.id);
    old?.group.remove();
    const item = { ...nodeParts(node, size), shape, size, place: null, sign: [], clock: [], tag: [] };
    this.#items.set(node.id, item);
    this.#layer.append(item.group);
    return item;
  }

  /** What a screen reader says: numbers as of when somebody comes by, or the state changed. */
  #name(item) {
    item.group.setAttribute("aria-label", nodeLabel(item.node, this.#readers.get(item.node.id) ?? 0));
    put(item.title, `${nameOf(item.node)}: ${item.node.sentence}`);
  }

  #write(item, node, size, nameSize) {
    const before = item.node;
    item.node = node;
    if (!before || nameOf(before) !== nameOf(node) || item.nameSize !== nameSize || item.far !== this.#far) this.#fit(item, size, nameSize);
    if (!this.#far || !before) this.#count(item);
    if (!before || before.health !== node.health || nameOf(before) !== nameOf(node)) {
      item.sign = writeHealth(item.health, node.health, size);
      stand(item.sign, item.place);
      this.#name(item);
    } else if (before.sentence !== node.sentence) put(item.title, `${nameOf(node)}: ${node.sentence}`);
    this.#clock(item);
  }

  /** Its number, in the longest way that there is room for. */
  #count({ texts, node, size, nameSize }) {
    const said = nodeNumbers(node);
    const room = (size.width - INSET) / nameSize / PLAIN;
    put(texts.number.element, said.find((text) => said.length === 1 || breadth(text) <= room) ?? said.at(-1));
  }

  #fit(item, size, nameSize) {
    Object.assign(item, { nameSize, far: this.#far });
    fitName(item, item.node, size, item);
    stand(Object.values(item.texts), item.place);
  }

  #setClass(item) {
    const { node } = item;
    const kept = item.kept ?? "";
    const marks = [[node.id === this.#active, "active"], [this.#found.has(node.id), "found"], [item.pulse, "pulse"], [item.clock.length, "stale"]];
    const name = nodeClass(node) + marks.filter(([holds]) => holds).map(([, word]) => ` ${word}`).join("");
    item.pulse = false;
    if (item.className !== name + kept) item.group.setAttribute("class", (item.className = name + kept));
  }

  #clock(item) {
    const wanted = Boolean(item.node.rateIsOld);
    if (wanted === item.clock.length > 0) return;
    if (wanted) {
      const { width, height } = item.size;
      item.clock = sign("stale", { x: width / 2 - 18, y: height / 2 - 3 });
      item.group.append(svg("g", { class: "clock" }, ...item.clock.map(({ element }) => element)));
      stand(item.clock, item.place);
    } else {
      item.group.querySelector(".clock").remove();
      item.clock = [];
    }
    this.#setClass(item);
  }

  #tagNew(item, size) {
    const until = this.#newUntil.get(item.node.id);
    if (!until) return;
    if (Date.now() >= until) {
      item.tag.forEach(({ element }) => element.remove());
      item.tag = [];
      this.#newUntil.delete(item.node.id);
    } else if (!item.tag.length) {
      item.tag = [{ element: svg("text", { class: "new-tag" }, "new"), x: 0, y: -size.height / 2 - 7 }];
      item.group.append(item.tag[0].element);
      stand(item.tag, item.place);
    }
  }
}
