// The signs on nodes, as lines from their middle: a sign of the sprite would bring a picture and a clip of its own for
// every node, which the browser goes through with every number that changes. tests/unit/test_signs.py holds both equal.

import { svg } from "../../lib/svg.js";

const ROUND = "m-6.25 0a6.25 6.25 0 1 0 12.5 0a6.25 6.25 0 1 0-12.5 0";
const SIGNS = {
  ok: [`${ROUND}m3.25 .2l2.2 2.2l3.8-4.6`],
  degraded: ["m0-5.8l6.6 11.3h-13.2zm0 4v3.4m0 2v.1"],
  failing: ["m-2.7-6.2h5.4l3.5 3.5v5.4l-3.5 3.5h-5.4l-3.5-3.5v-5.4zm.3 3.8l4.8 4.8m0-4.8l-4.8 4.8"],
  idle: [`${ROUND}m3.25 0h6`],
  unknown: [ROUND, "m-1.8-1.7a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2m0 2.1v.1"],
  stale: [`${ROUND}m6.25-3.5v3.5l2.4 1.6`],
  retries: ["m-5 0a5 5 0 0 1 8.7-3.4l1.3 1.4m0-3.5v3.5h-3.5m3.5 2a5 5 0 0 1-8.7 3.4l-1.3-1.4m0 3.5v-3.5h3.5"],
  lock: ["m-4-1h8a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1h-8a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1zm1 0v-2a3 3 0 0 1 6 0v2"],
  plug: ["m-2-6v3m4-3v3m-5.5 0h7v2.5a3.5 3.5 0 0 1-7 0zm3.5 6v3"],
};
const DASHES = { unknown: "2.6 2" }; // of the first line

/** A sign on its ground, as parts of a node: its middle is `x`, `y` from the node's. */
export function sign(name, { x, y }) {
  const lines = SIGNS[name].map((path, index) => ({ element: svg("path", { class: "sign", "stroke-dasharray": index ? null : DASHES[name] }), x, y, path }));
  return [{ element: svg("circle", { class: "ground", r: 9.5 }), x, y }, ...lines];
}

/** Puts parts of a node ({element, x, y, path}: from its middle) where it stands. Nothing is moved by a transform: each
 *  would be a picture of its own to the browser. Nowhere yet (null): it comes to stand later. */
export function stand(parts, at) {
  if (!at) return;
  for (const { element, x, y, path } of parts) {
    const [left, top] = [at.x + x, at.y + y];
    if (path) element.setAttribute("d", `M${left} ${top}${path}`);
    else {
      const [across, down] = element.localName === "circle" ? ["cx", "cy"] : ["x", "y"];
      element.setAttribute(across, left);
      element.setAttribute(down, top);
    }
  }
}
