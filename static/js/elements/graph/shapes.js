// What nodes and edges look like: shape = kind, stroke = evidence, width = rate, outline and sign = health.

import { fitting, fittingTwo, shown } from "../../lib/text.js";
import { set, sign, svg } from "../../lib/svg.js";
import { nameOf } from "./captions.js";

const CAP = 6;
const CUT = 14;
export const NAME_SIZE = 12; // pixels, at natural size
const LINE = 1.1; // from line to line, of the size of letters
const STRONGEST = ["traced", "offsets", "membership", "declared"];

/** The parts of a node of this size, empty. `group` is what stands on the drawing. */
export function nodeParts(node, size) {
  const { width, height } = size;
  const group = svg("g", { id: domId(node.id), role: "img", "data-id": node.id });
  if (node.kind === "box") group.append(svg("path", { class: "shape under", d: box(size, 0), transform: "translate(5 5)" }));
  group.append(svg("path", { class: "halo", d: box(size, 5) }));
  for (const path of outline(node, size)) group.append(path);
  const mark = roleMark(node);
  if (mark) group.append(corner(size, mark));
  const health = svg("g", { class: "health", transform: `translate(${-width / 2 + 10} ${-height / 2 + 1})` });
  const middle = node.kind === "topic" && node.role !== "dead_letter" ? -CAP : 0;
  const [one, two, number] = ["name", "name", "number"].map((name) => svg("text", { class: name, x: middle }));
  const title = svg("title");
  group.append(health, one, two, number, title);
  return { group, health, one, two, number, title };
}

/** Writes the name of a node in one line or two, cut to what its outline holds, its number under it. */
export function fitName(parts, node, size, nameSize) {
  const room = (size.width - (node.kind === "topic" ? 26 : 18)) / nameSize;
  const tall = size.height > 50 && nameSize * 3.4 < size.height;
  const isShared = Boolean(node.shown_name) && node.shown_name !== node.name;
  const two = isShared ? [fitting(shown(node.name), room), fitting(shown(node.cluster), room)] : fittingTwo(shown(node.name), room);
  const [first, second] = tall ? two : [fitting(nameOf(node), room), ""];
  put(parts.one, first);
  put(parts.two, second);
  const lines = second ? [parts.one, parts.two, parts.number] : [parts.one, parts.number];
  const step = second ? nameSize * LINE : Math.max(nameSize * LINE, 17);
  lines.forEach((line, index) => set(line, { y: ((index - (lines.length - 1) / 2) * step + nameSize * 0.35).toFixed(1) }));
}

/** The sign of a health, in its place. */
export function writeHealth(element, level) {
  element.dataset.level = level;
  element.replaceChildren(svg("circle", { class: "ground", r: 9.5 }), sign(level, { x: -8, y: -8, width: 16, height: 16 }));
}

export function nodeClass(node) {
  return `node ${node.kind} ${node.role ?? ""} ${node.health}${node.guessed ? " guessed" : ""}${node.diff ? ` diff-${node.diff}` : ""}`;
}

/** The parts of an edge, empty. */
export function edgeParts(edge) {
  const group = svg("g", { "data-id": edge.id });
  const [hit, line, inner, head, title] = [svg("path", { class: "hit" }), svg("path", { class: "line" }), svg("path", { class: "inner" }), svg("path", { class: "head" }), svg("title")];
  group.append(hit, line, inner, head, title);
  return { group, hit, line, inner, head, title };
}

/** Class of an edge: kind, health, strongest evidence, width step. */
export function edgeClass(edge) {
  const evidence = STRONGEST.find((name) => edge.evidence.includes(name)) ?? "offsets";
  return `edge ${edge.kind} ${edge.health} ${evidence} w${widthStep(edge.rate)}${edge.diff ? ` diff-${edge.diff}` : ""}`;
}

/** Writes text, only where it differs. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** What makes a node's outline another one. */
export function shapeOf(node, size) {
  return `${node.kind} ${node.role} ${node.guessed} ${size.width} ${size.height}`;
}

function widthStep(value) {
  if (!value || value < 1) return 1;
  if (value < 100) return 2;
  return value < 10000 ? 3 : 4;
}

function roleMark(node) {
  if (node.role === "retry") return sign("retries", { x: -8, y: -8, width: 16, height: 16 });
  if (node.role === "connector") return sign("plug", { x: -8, y: -8, width: 16, height: 16 });
  if (node.role === "internal") return sign("lock", { x: -8, y: -8, width: 16, height: 16 });
  return node.guessed ? svg("text", { y: 5 }, "?") : null;
}

/** A sign on the upper right corner: what kind of its kind this is. */
function corner({ width, height }, mark) {
  return svg("g", { class: "role", transform: `translate(${width / 2 - 16} ${-height / 2 + 2})` }, svg("circle", { class: "ground", r: 9.5 }), mark);
}

function outline(node, { width, height }) {
  const x = width / 2;
  const y = height / 2;
  if (node.kind !== "topic") return [svg("path", { class: "shape", d: box({ width, height }, 0) })];
  if (node.role === "dead_letter") {
    const body = `M${-x + CAP} ${-y}H${x - CUT}L${x} ${-y + CUT}V${y}H${-x + CAP}A${CAP} ${y} 0 0 1 ${-x + CAP} ${-y}Z`;
    return [svg("path", { class: "shape", d: body }), svg("path", { class: "rim", d: `M${x - CUT} ${-y}V${-y + CUT}H${x}` })];
  }
  const body = `M${-x + CAP} ${-y}H${x - CAP}A${CAP} ${y} 0 0 1 ${x - CAP} ${y}H${-x + CAP}A${CAP} ${y} 0 0 1 ${-x + CAP} ${-y}Z`;
  const rim = `M${x - CAP} ${-y}A${CAP} ${y} 0 0 0 ${x - CAP} ${y}`;
  return [svg("path", { class: "shape", d: body }), svg("path", { class: "rim", d: rim })];
}

/** A rounded box around 0, 0. */
export function box({ width, height }, grow) {
  const x = width / 2 + grow;
  const y = height / 2 + grow;
  const r = 8 + grow;
  return `M${-x + r} ${-y}H${x - r}Q${x} ${-y} ${x} ${-y + r}V${y - r}Q${x} ${y} ${x - r} ${y}H${-x + r}Q${-x} ${y} ${-x} ${y - r}V${-y + r}Q${-x} ${-y} ${-x + r} ${-y}Z`;
}

export function domId(id) {
  return `node-${encodeURIComponent(id).replaceAll("%", "_")}`;
}
