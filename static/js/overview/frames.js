// Frames of a replay by the moment they end at: fetched in batches, at most one request at a time, some kept.

import { fetchData } from "../lib/swap.js";
import { stamp } from "../lib/moments.js";

const BATCH = 30;
const LEAST_AHEAD = 10; // fewer are left: the next batch is fetched
const MOST_KEPT = 240;

export class Frames {
  #kept = new Map();
  #url;
  #window;
  #busy = null;

  constructor(url, step, window) {
    this.#url = url;
    this.step = step;
    this.#window = window;
  }

  /** The frame that ends then, where it is here. */
  at(to) {
    return this.#kept.get(to) ?? null;
  }

  /** The same, fetched where it is not; null where there is none. */
  async fetch(to) {
    if (this.#busy) await this.#busy;
    if (!this.#kept.has(to)) await this.#load(to);
    return this.at(to);
  }

  /** Fetches what comes after this moment, up to `last`, when little of it is here. */
  async ahead(to, last) {
    let next = to + this.step;
    while (this.#kept.has(next)) next += this.step;
    if (this.#busy || next > last || next - to > LEAST_AHEAD * this.step) return;
    await this.#load(next);
  }

  #load(to) {
    this.#busy = this.#batch(to).finally(() => (this.#busy = null));
    return this.#busy;
  }

  async #batch(to) {
    const url = new URL(this.#url, location.href);
    const here = new URL(location.href).searchParams;
    for (const name of ["cluster", "show"]) for (const value of here.getAll(name)) url.searchParams.append(name, value);
    url.searchParams.set("from", stamp(to - this.#window));
    url.searchParams.set("to", stamp(to));
    url.searchParams.set("n", String(BATCH));
    const found = await fetchData(url.href, "frames");
    if (!found) throw new TypeError("no frames");
    let [nodes, edges] = [new Map(), new Map()];
    for (const frame of found.frames) {
      [nodes, edges] = [merged(nodes, frame.nodes), merged(edges, frame.edges)];
      this.#keep(Date.parse(frame.to), { isSeen: frame.is_seen, nIdle: frame.n_idle, nodes: [...nodes.values()], edges: [...edges.values()] });
    }
  }

  #keep(to, frame) {
    this.#kept.delete(to);
    this.#kept.set(to, frame);
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(old);
    }
  }
}

/** Rows with what changed in them; a row that did not is the same object. */
function merged(before, changes = {}) {
  const after = new Map(before);
  for (const [id, row] of Object.entries(changes)) {
    if (row === null) after.delete(id);
    else after.set(id, { ...after.get(id), ...row });
  }
  return after;
}
