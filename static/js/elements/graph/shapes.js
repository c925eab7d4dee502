// What nodes and edges look like: shape = kind, stroke = evidence, width = rate, outline and sign = health.

import { fitting, fittingTwo, shown } from "../../lib/text.js";
import { svg } from "../../lib/svg.js";
import { nameOf } from "./captions.js";
import { sign } from "./signs.js";

const CAP = 6;
const CUT = 14;
export const NAME_SIZE = 12; // pixels, at natural size
const LINE = 1.1; // from line to line, of the size of letters
const BESIDE = 12; // of a first line of two, beside the signs in the corners
const FAR = 8; // a name without a number stands lower
const CORNERS = { retry: "retries", connector: "plug", internal: "lock" };
const STRONGEST = ["traced", "offsets", "membership", "declared"];

/** The parts of a node of this size. `group` is what stands on the drawing, `outline` and `texts` what moves with it. */
export function nodeParts(node, size) {
  const group = svg("g", { id: domId(node.id), role: "img", "data-id": node.id });
  const outline = [...drawnBelow(node, size), ...shape(node, size)];
  const role = corner(node, size);
  const health = svg("g", { class: "health" });
  const centre = node.kind === "topic" && node.role !== "dead_letter" ? -CAP : 0;
  const [one, two, number] = ["name", "name", "number"].map((name) => ({ element: svg("text", { class: name }), x: centre, y: 0 }));
  const title = svg("title");
  group.append(...outline.map(({ element }) => element));
  if (role.length) group.append(svg("g", { class: "role" }, ...role.map(({ element }) => element)));
  group.append(health, one.element, two.element, number.element, title);
  return { group, outline: [...outline, ...role], health, texts: { one, two, number }, title };
}

/** Writes the name of a node in one line or two, cut to what its outline holds, its number under it, which is not there
 *  where all is drawn small (`far`). */
export function fitName({ texts: { one, two, number } }, node, size, { nameSize, far }) {
  const room = (size.width - (node.kind === "topic" ? 26 : 18)) / nameSize;
  const tall = size.height > 50 && nameSize * 3.4 < size.height;
  const isShared = Boolean(node.shown_name) && node.shown_name !== node.name;
  const halves = isShared ? [fitting(shown(node.name), room), fitting(shown(node.cluster), room)] : fittingTwo(shown(node.name), room, room - BESIDE / nameSize);
  const [first, second] = tall ? halves : [fitting(nameOf(node), room), ""];
  put(one.element, first);
  put(two.element, second);
  const lines = second ? [one, two, number] : [one, number];
  const step = second ? nameSize * LINE : Math.max(nameSize * LINE, 17);
  lines.forEach((line, index) => (line.y = Math.round(((index - (lines.length - 1) / 2) * step + nameSize * 0.35 + (far ? FAR : 0)) * 10) / 10));
}

/** The sign of a health at the upper left corner, as parts of its node. */
export function writeHealth(element, level, { width, height }) {
  const parts = sign(level, { x: 10 - width / 2, y: 1 - height / 2 });
  element.dataset.level = level;
  element.replaceChildren(...parts.map((part) => part.element));
  return parts;
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

/** A sign on the upper right corner: what kind of its kind this is. */
function corner(node, { width, height }) {
  const at = { x: width / 2 - 16, y: 2 - height / 2 };
  if (node.role in CORNERS) return sign(CORNERS[node.role], at);
  return node.guessed ? [{ element: svg("circle", { class: "ground", r: 9.5 }), ...at }, { element: svg("text", {}, "?"), x: at.x, y: at.y + 5 }] : [];
}

/** What shows under the outline: a second one of a group, and what marks a node that was found or selected. */
function drawnBelow(node, size) {
  const under = node.kind === "box" ? [{ element: svg("path", { class: "shape under" }), x: 5, y: 5, path: box(size, 0) }] : [];
  return [...under, middle("halo", box(size, 5))];
}

function shape(node, { width, height }) {
  const x = width / 2;
  const y = height / 2;
  if (node.kind !== "topic") return [middle("shape", box({ width, height }, 0))];
  const end = `a${CAP} ${y} 0 0 1 0 ${-height}z`;
  if (node.role === "dead_letter") {
    const body = `m${CAP - x} ${-y}h${width - CAP - CUT}l${CUT} ${CUT}v${height - CUT}h${CAP - width}${end}`;
    return [middle("shape", body), middle("rim", `m${x - CUT} ${-y}v${CUT}h${CUT}`)];
  }
  const body = `m${CAP - x} ${-y}h${width - 2 * CAP}a${CAP} ${y} 0 0 1 0 ${height}h${2 * CAP - width}${end}`;
  return [middle("shape", body), middle("rim", `m${x - CAP} ${-y}a${CAP} ${y} 0 0 0 0 ${height}`)];
}

const middle = (name, path) => ({ element: svg("path", { class: name }), x: 0, y: 0, path });

/** A rounded box, from its middle. */
function box({ width, height }, grow) {
  const r = 8 + grow;
  const [w, h] = [width + 2 * (grow - r), height + 2 * (grow - r)];
  return `m${-w / 2} ${-h / 2 - r}h${w}q${r} 0 ${r} ${r}v${h}q0 ${r} ${-r} ${r}h${-w}q${-r} 0 ${-r} ${-r}v${-h}q0 ${-r} ${r} ${-r}z`;
}

function domId(id) {
  return `node-${encodeURIComponent(id).replaceAll("%", "_")}`;
}
