// The stored layout, pulled to the shape of the window: narrower columns, airier rows, before anything gets smaller.

import { HEIGHT, NARROWEST, WIDEST } from "./shapes.js";

const COLUMN = 250;
const LEAST_GAP = 44;
const TIGHTEST = (NARROWEST + LEAST_GAP) / COLUMN;
const AIRIEST = 1.6;
const MARGIN = 24;
const BUTTONS = 40;

/** Factors for x and y, and the width of nodes, for these nodes in a window of this size. */
export function stretch(nodes, { width, height }) {
  const xs = nodes.map((node) => node.x);
  const ys = nodes.map((node) => node.y);
  const spanX = Math.max(...xs) - Math.min(...xs);
  const spanY = Math.max(...ys) - Math.min(...ys);
  const x = spanX ? clamp((width - 2 * MARGIN - NARROWEST) / spanX, TIGHTEST, 1) : 1;
  const y = spanY ? clamp((height - 2 * MARGIN - HEIGHT - BUTTONS) / spanY, 1, AIRIEST) : 1;
  return { x, y, nodeWidth: Math.round(clamp(COLUMN * x - Math.max(LEAST_GAP, COLUMN * x * 0.3), NARROWEST, WIDEST)) };
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
