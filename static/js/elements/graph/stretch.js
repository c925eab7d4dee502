// The stored layout, pulled to the shape of the window: narrower columns, airier rows, before anything gets smaller. What
// would be too small to read all the same keeps its natural shape.

const COLUMN = 250;
const NATURAL = 172;
const WIDEST = 216; // where columns are few
const WIDEST_GROUP = 236; // where rows are many, letters are large, and there is room beside
const BROADEST = 1.25;
const BROADEST_GROUPS = 1.4;
const NARROWEST = 116;
const NARROWEST_GROUP = 150; // count, rate and dead letters stand in one line
const LEAST_GAP = 40;
const LEAST_GROUP_GAP = 64; // a number on each of few edges
const BETWEEN = 0.3; // of a column
const SMALLER = 0.85; // a name of a readable size needs two lines
const AIRIEST = 1.6;
export const READABLE = 0.6; // smaller, nobody reads names
const MARGIN = 16;
const BUTTONS = 40;
const ONE_LINE = 46; // height of a node whose name has a line to itself
const TWO_LINES = 62; // of a narrow one, whose name may need two
const CLOSE = 56; // the same where rows cannot be pulled apart

/** Factors for x and y, and the size of nodes, for these nodes in a window of this size; `grouped`: some are groups;
 *  `side`: room that edges need beside them. */
export function stretch(nodes, { width, height }, { grouped, side }) {
  const xs = nodes.map((node) => node.x);
  const ys = nodes.map((node) => node.y);
  const spanX = Math.max(...xs) - Math.min(...xs);
  const spanY = Math.max(...ys) - Math.min(...ys);
  const [narrowest, gap] = grouped ? [NARROWEST_GROUP, LEAST_GROUP_GAP] : [NARROWEST, LEAST_GAP];
  const low = Math.min(1, (height - BUTTONS) / (spanY + TWO_LINES + 2 * MARGIN)); // so small it gets anyhow
  const roomy = (width / low - 2 * side) / (spanX + COLUMN * (1 - BETWEEN));
  const most = grouped ? BROADEST_GROUPS : clamp(roomy, 1, BROADEST);
  const x = spanX ? clamp((width / low - 2 * side - narrowest) / spanX, (narrowest + gap) / COLUMN, most) : grouped ? 1 : most;
  const nodeWidth = Math.round(clamp(COLUMN * x - Math.max(gap, COLUMN * x * BETWEEN), narrowest, grouped ? WIDEST_GROUP : WIDEST));
  const scale = Math.min(1, width / (spanX * x + nodeWidth + 2 * side));
  const nodeHeight = nodeWidth < NATURAL || Math.min(low, scale) < SMALLER ? TWO_LINES : ONE_LINE;
  if (Math.min(scale, (height - BUTTONS) / (spanY + nodeHeight + 2 * MARGIN)) < READABLE) return { x: 1, y: 1, size: { width: NATURAL, height: CLOSE } };
  const y = spanY ? clamp(((height - BUTTONS) / scale - 2 * MARGIN - nodeHeight) / spanY, 1, AIRIEST) : 1;
  return { x, y, size: { width: nodeWidth, height: nodeHeight } };
}

function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
