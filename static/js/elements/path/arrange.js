// The hops of a path as boxes in columns and rows: a tree by cause from left to right, each branch with rows of its own.

import { choose } from "./choose.js";
import { event, gap, ghost, reader, waitLabel, writer } from "./words.js";

const MOST_GHOSTS = 5;
const ORDER = { failed: 0, waiting: 1, ok: 2, received: 3, passed: 4 };

/** Boxes {kind, title, note, column, row, …} and wires {from, to, label, result, evidence}. */
export function arrange({ hops, start, expected = [], ends = [] }, opened = new Set()) {
  const plan = choose(hops, start, opened);
  const board = { ...plan, expected: byHop(expected), ends: new Map(ends.filter((each) => each.side === "after").map((each) => [each.hop, each])), boxes: [], wires: [], of: new Map(), row: 0, folds: new Map() };
  for (const fold of plan.folds) board.folds.set(fold.at, [...(board.folds.get(fold.at) ?? []), fold]);
  for (const hop of hops) {
    const isRoot = plan.drawn.has(hop.id) && !(plan.drawn.has(hop.cause) && plan.known.has(hop.cause));
    if (isRoot && !board.of.has(hop.id)) tree(board, hop.id);
  }
  for (const id of plan.drawn) if (!board.of.has(id)) tree(board, id); // a circle has no first hop
  moreCauses(board);
  return { boxes: board.boxes, wires: board.wires, columns: 1 + Math.max(0, ...board.boxes.map((box) => box.column)), rows: Math.max(1, board.row) };
}

/** Depth first with a stack of its own: a chain may be thousands of hops long. The first below stays in the row. */
function tree(board, root) {
  const stack = [{ id: root, parent: lead(board, root), fresh: false }];
  while (stack.length) {
    const { id, tail, parent, fresh } = stack.pop();
    if (!tail && board.of.has(id)) continue;
    if (fresh) board.row += 1;
    if (tail) {
      wire(board, parent, place(board, tail, parent.column + 1), { evidence: tail.kind });
      continue;
    }
    const box = put(board, id, parent);
    const below = next(board, id).filter((child) => !board.of.has(child)).map((child) => ({ id: child, parent: box }));
    const all = [...below, ...tails(board, id).map((each) => ({ tail: each, parent: box }))];
    all.map((item, index) => ({ ...item, fresh: index > 0 })).reverse().forEach((item) => stack.push(item));
  }
  board.row += 1;
}

function next(board, id) {
  const rank = (child) => ORDER[board.known.get(child).result] ?? 2;
  return (board.children.get(id) ?? []).filter((child) => board.drawn.has(child)).sort((one, other) => rank(one) - rank(other) || one - other);
}

/** What stands before a root: who wrote it, or what is folded there. */
function lead(board, id) {
  const hop = board.known.get(id);
  const fold = (board.folds.get(id) ?? []).find((each) => each.side === "before");
  if (fold) return place(board, { kind: "fold", key: fold.key, title: `${fold.count} earlier`, note: "show them" }, 0);
  if (hop.kind === "consume") return null;
  return place(board, writer(hop), 0);
}

function put(board, id, parent) {
  const hop = board.known.get(id);
  const cause = board.known.get(hop.cause);
  let from = parent;
  if (cause && cause.kind === "produce" && hop.kind === "produce" && parent?.hop === cause.id && !hop.known_by.includes("retry")) {
    from = place(board, gap(hop), parent.column + 1);
    wire(board, parent, from, {});
  }
  const box = place(board, hop.kind === "produce" ? event(hop, cause) : reader(hop), from ? from.column + 1 : 0);
  board.of.set(id, box);
  if (from) wire(board, from, box, { label: hop.kind === "consume" ? waitLabel(hop) : hop.known_by.includes("retry") ? "sent again" : "", result: hop.result, evidence: hop.evidence[0] });
  return box;
}

/** Ghosts, folded leaves and folded branches behind a box, each in a row of its own. */
function tails(board, id) {
  const ghosts = board.expected.get(id) ?? [];
  const late = ghosts.filter((each) => each.late);
  const shown = [...late, ...ghosts.filter((each) => !each.late)].slice(0, MOST_GHOSTS).map(ghost);
  const hidden = board.leaves.get(id);
  if (hidden) shown.push({ kind: "fold", key: `leaves:${id}`, title: `+${hidden.length} readers`, note: "all of them well" });
  for (const fold of board.folds.get(id) ?? []) {
    if (fold.side === "after") shown.push({ kind: "fold", key: fold.key, title: `+${fold.count} under ${fold.title}`, note: "show them" });
  }
  const end = board.ends.get(id);
  if (end) shown.push({ kind: "fold", url: end.url, title: "goes on from here", note: "open this event" });
  return shown;
}

function place(board, box, column) {
  const placed = { ...box, column, row: board.row };
  board.boxes.push(placed);
  return placed;
}

function wire(board, from, to, { label = "", result, evidence }) {
  board.wires.push({ from, to, label, result, evidence });
}

/** A batch has many causes: the first one places it, the others are wires. */
function moreCauses(board) {
  for (const [id, box] of board.of) {
    for (const cause of board.known.get(id).causes) {
      const from = board.of.get(cause);
      if (from) wire(board, from, box, { evidence: "more" });
    }
  }
}

function byHop(expected) {
  const found = new Map();
  for (const each of expected) found.set(each.after, [...(found.get(each.after) ?? []), each]);
  return found;
}
