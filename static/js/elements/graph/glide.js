// Nodes that get another place glide there in 300 ms; at once where motion is not wanted, or nobody looks.

const MS = 300;

export class Glide {
  #from = new Map();
  #began = 0;
  #frame = 0;

  /** Where a node stands now, on its way from where it stood. */
  at(node) {
    const from = this.#from.get(node.id);
    if (!from) return node;
    const share = Math.min(1, (performance.now() - this.#began) / MS);
    const eased = 1 - (1 - share) ** 3;
    return { x: from.x + (node.x - from.x) * eased, y: from.y + (node.y - from.y) * eased };
  }

  /** Begins at these places ({x, y} by id), and calls `draw` for every picture, `done` after the last. */
  start(from, draw, done) {
    cancelAnimationFrame(this.#frame);
    if (document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#from.clear();
      done();
      return;
    }
    this.#from = from;
    this.#began = performance.now();
    const step = () => {
      const over = performance.now() - this.#began >= MS;
      if (over) this.#from.clear();
      draw();
      if (over) done();
      else this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }
}
