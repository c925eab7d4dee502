// Dots that run along the edges of what is selected, where a person asked for them: density is the rate, speed the wait
// in the queue, diamonds are failures. Nothing runs where motion is not wanted, when hidden or paused.

import { svg } from "../../lib/svg.js";

const MOST_EDGES = 30;
const MOST_DOTS = 120;
const MOST_A_LINE = 8;
const [FASTEST, SLOWEST] = [1.2, 9]; // seconds along an edge

export class Traffic {
  #layer;
  #svg;
  #shown = "";
  #asked = [];
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(svgElement, layer) {
    this.#svg = svgElement;
    this.#layer = layer;
    document.addEventListener("visibilitychange", () => this.#rest());
    this.#still.addEventListener("change", () => this.show(this.#asked));
  }

  /** Lets dots run along `edges` ([{edge, path}]); none clears. */
  show(edges) {
    this.#asked = edges;
    const wanted = this.#still.matches ? [] : edges.filter(({ edge, path }) => edge.rate && path).slice(0, MOST_EDGES);
    const key = wanted.map(({ edge, path }) => `${edge.id} ${dots(edge)} ${seconds(edge).toFixed(0)} ${failures(edge)} ${path}`).join("\n");
    if (key === this.#shown) return;
    this.#shown = key;
    const share = Math.min(1, MOST_DOTS / Math.max(1, wanted.reduce((sum, { edge }) => sum + dots(edge), 0)));
    this.#layer.replaceChildren(...wanted.flatMap((each) => this.#line(each, share)));
    this.#rest();
  }

  #line({ edge, path }, share) {
    const n = Math.max(1, Math.floor(dots(edge) * share));
    const long = seconds(edge);
    return Array.from({ length: n }, (_, index) => {
      const failed = index < failures(edge);
      const dot = failed ? svg("path", { class: "dot failed", d: "M0 -5L5 0L0 5L-5 0Z" }) : svg("circle", { class: "dot", r: 3.5 });
      dot.append(svg("animateMotion", { path, dur: `${long.toFixed(2)}s`, begin: `${(-(index / n) * long).toFixed(2)}s`, repeatCount: "indefinite" }));
      return dot;
    });
  }

  #rest() {
    if (document.hidden) this.#svg.pauseAnimations();
    else this.#svg.unpauseAnimations();
  }
}

const dots = (edge) => Math.max(1, Math.min(MOST_A_LINE, Math.round(1 + Math.log10(1 + edge.rate) * 2)));
const failures = (edge) => (edge.errors ? Math.max(1, Math.round((dots(edge) * edge.errors) / Math.max(1, edge.messages))) : 0);

function seconds(edge) {
  const wait = edge.wait_p50_seconds ?? edge.lag_seconds ?? 0.05;
  return Math.max(FASTEST, Math.min(SLOWEST, 2 + Math.log10(Math.max(0.001, wait)) * 1.6));
}
