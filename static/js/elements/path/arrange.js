// The hops of a path as boxes in columns and rows: a tree by cause, each branch with rows of its own.

import { waitLabel } from "./words.js";

const MOST = 200;

/** Boxes {kind, title, note, column, row, …} and wires {from, to, label}. A hop's `cause` is another hop's number. */
export function arrange(hops) {
  const children = new Map();
  const known = new Set(hops.slice(0, MOST).map((hop) => hop.id));
  const roots = [];
  for (const hop of hops.slice(0, MOST)) {
    if (hop.cause === null || !known.has(hop.cause) || hop.cause === hop.id) roots.push(hop);
    else children.set(hop.cause, [...(children.get(hop.cause) ?? []), hop]);
  }
  const drawing = { boxes: [], wires: [], columns: 1, row: 0, children, seen: new Set() };
  for (const root of roots) put(drawing, root, null, 0);
  return { boxes: drawing.boxes, wires: drawing.wires, columns: drawing.columns, rows: Math.max(1, drawing.row) };
}

function put(drawing, hop, parent, column) {
  if (drawing.seen.has(hop.id)) return null;
  drawing.seen.add(hop.id);
  const first = parent === null && hop.kind === "produce" ? writer(drawing, hop, column) : parent;
  const box = boxOf(hop, first === null ? column : first.column + 1, drawing.row);
  drawing.boxes.push(box);
  drawing.columns = Math.max(drawing.columns, box.column + 1);
  if (first) drawing.wires.push({ from: first, to: box, label: hop.kind === "consume" ? waitLabel(hop.wait_seconds) : "", result: hop.result, evidence: hop.evidence?.[0] });
  const below = (drawing.children.get(hop.id) ?? []).map((child) => put(drawing, child, box, box.column)).filter(Boolean);
  if (!below.length) drawing.row += 1;
  else box.row = below[0].row;
  if (first && parent === null) first.row = box.row;
  return box;
}

function writer(drawing, hop, column) {
  const box = { kind: "service", title: hop.service ?? "? unknown", note: "wrote it", column, row: drawing.row, hop: null, result: hop.service ? null : "unknown" };
  drawing.boxes.push(box);
  return box;
}

function boxOf(hop, column, row) {
  if (hop.kind === "produce") {
    const position = hop.offset === null ? hop.topic : `${hop.topic}/${hop.partition}/${hop.offset}`;
    return { kind: "event", title: position, note: hop.note ?? "", column, row, hop: hop.id, url: hop.url, retryUrl: hop.retry_url, result: hop.result === "failed" ? "failed" : "ok" };
  }
  const work = hop.processing_seconds === null || hop.processing_seconds === undefined ? "" : `worked ${waitLabel(hop.processing_seconds)}`;
  const group = hop.group && hop.group !== hop.service ? `as ${hop.group}` : "";
  return { kind: "service", title: hop.service ?? `? group ${hop.group ?? "unknown"}`, note: [group, work].filter(Boolean).join(", "), column, row, hop: hop.id, result: hop.result, reason: hop.reason };
}
