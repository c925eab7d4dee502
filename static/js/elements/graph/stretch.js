// The stored layout, pulled to the shape of the window: narrower columns, airier rows, before anything gets smaller. What
// would be too small to read all the same keeps its natural shape.

const COLUMN = 250;
const WIDEST = 172;
const NARROWEST = 116;
const LEAST_GAP = 40;
const TIGHTEST = (NARROWEST + LEAST_GAP) / COLUMN;
const AIRIEST = 1.6;
export const READABLE = 0.6; // smaller, nobody reads names
const MARGIN = 16;
const SIDE = 44;
const BUTTONS = 40;
const ONE_LINE = 46; // height of a node whose name has a line to itself
const TWO_LINES = 62; // of a narrow one, whose name may need two

/** Factors for x and y, and the size of nodes, for these nodes in a window of this size. */
export function stretch(nodes, { width, height }) {
  const xs = nodes.map((node) => node.x);
  const ys = nodes.map((node) => node.y);
  const spanX = Math.max(...xs) - Math.min(...xs);
  const spanY = Math.max(...ys) - Math.min(...ys);
  const x = spanX ? clamp((width - 2 * SIDE - NARROWEST) / spanX, TIGHTEST, 1) : 1;
  const nodeWidth = Math.round(clamp(COLUMN * x - Math.max(LEAST_GAP, COLUMN * x * 0.3), NARROWEST, WIDEST));
  const nodeHeight = nodeWidth < WIDEST ? TWO_LINES : ONE_LINE;
  const scale = Math.min(1, width / (spanX * x + nodeWidth + 2 * SIDE));
  if (Math.min(scale, (height - BUTTONS) / (spanY + nodeHeight + 2 * MARGIN)) < READABLE) return { x: 1, y: 1, size: { width: WIDEST, height: ONE_LINE } };
  const y = spanY ? clamp(((height - BUTTONS) / scale - 2 * MARGIN - nodeHeight) / spanY, 1, AIRIEST) : 1;
  return { x, y, size: { width: nodeWidth, height: nodeHeight } };
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
