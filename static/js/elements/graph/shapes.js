// What nodes and edges look like: shape = kind, stroke = evidence, width = rate, outline and sign = health.

import { count, duration, rate, rateOf } from "../../lib/format.js";
import { fitting, fittingTwo, shown } from "../../lib/text.js";
import { set, sign, svg } from "../../lib/svg.js";

const CAP = 6;
export const NAME_SIZE = 12; // pixels, at natural size
const LINE = 1.1; // from line to line, of the size of letters

/** A node's group of this size, empty; `fillNode` writes what the data says. */
export function nodeGroup(node, size) {
  const { width, height } = size;
  const group = svg("g", { id: domId(node.id), role: "img", "data-id": node.id, "data-width": width, "data-height": height });
  group.append(svg("path", { class: "halo", d: box(size, 5) }));
  for (const path of outline(node, size)) group.append(path);
  if (node.role === "retry") group.append(corner(size, sign("retries", { x: -8, y: -8, width: 16, height: 16 })));
  if (node.guessed) group.append(corner(size, svg("text", { y: 5 }, "?")));
  group.append(svg("g", { class: "health", transform: `translate(${-width / 2 + 10} ${-height / 2 + 1})` }));
  const middle = node.kind === "topic" && node.role !== "dead_letter" ? -CAP : 0;
  for (const name of ["name", "name", "number"]) group.append(svg("text", { class: name, x: middle }));
  group.append(svg("title"));
  return group;
}

/** Writes the name of a node in one line or two, cut to what its outline holds, its number under it. */
export function fitName(group, nameSize) {
  const { width, height, name = "", cluster = "", kind } = group.dataset;
  const room = (width - (kind === "topic" ? 18 : 12)) / nameSize;
  const two = cluster ? [fitting(name, room), fitting(cluster, room)] : fittingTwo(name, room);
  const [first, second] = height > 50 ? two : [fitting(name, room), ""];
  const [upper, lower, number] = group.querySelectorAll(".name, .number");
  text(upper, first);
  text(lower, second);
  const lines = second ? [upper, lower, number] : [upper, number];
  const step = second ? nameSize * LINE : Math.max(nameSize * LINE, 17);
  lines.forEach((line, index) => set(line, { y: ((index - (lines.length - 1) / 2) * step + nameSize * 0.35).toFixed(1) }));
}

/** Writes name, number, health and label of a node into its group. */
export function fillNode(group, node, nameSize) {
  group.dataset.name = shown(node.name);
  group.dataset.cluster = node.shown_name === node.name ? "" : shown(node.cluster);
  group.dataset.kind = node.kind;
  fitName(group, nameSize);
  text(group.querySelector(".number"), nodeNumber(node));
  const health = group.querySelector(".health");
  if (health.dataset.level !== node.health) {
    health.dataset.level = node.health;
    health.replaceChildren(svg("circle", { class: "ground", r: 9.5 }), sign(node.health, { x: -8, y: -8, width: 16, height: 16 }));
  }
  const label = nodeLabel(node);
  set(group, { "aria-label": label });
  text(group.querySelector("title"), `${shown(node.shown_name)}: ${node.sentence}`);
}

/** The one number on a node. */
export function nodeNumber(node) {
  if (node.role === "dead_letter" && node.n_dead_letters) return `✖ ${count(node.n_dead_letters)} open`;
  if (node.kind === "topic") return `${node.rateIsOld ? "◷ " : ""}${rate(node.rate_in)}`;
  const about = node.estimated ? "≈" : "";
  if (node.rate_in !== null && node.rate_in !== undefined) return `${about}${rate(node.rate_in)} in`;
  return `${about}${rate(node.rate_out)} out`;
}

/** "topic orders.created, degraded, 420/s in": what a screen reader says. */
export function nodeLabel(node) {
  const kind = { dead_letter: "dead-letter topic", retry: "retry topic" }[node.role] ?? (node.kind === "group" ? "consumer group" : node.kind);
  const parts = [`${kind} ${shown(node.shown_name)}`, node.health];
  if (node.rate_in !== null && node.rate_in !== undefined) parts.push(`${rate(node.rate_in)} in`);
  if (node.rate_out !== null && node.rate_out !== undefined) parts.push(`${rate(node.rate_out)} out`);
  if (node.n_dead_letters) parts.push(`${node.n_dead_letters} open dead letters`);
  return parts.join(", ");
}

export function nodeClass(node) {
  return `node ${node.kind} ${node.role} ${node.health}${node.guessed ? " guessed" : ""}`;
}

/** An edge's group, empty. */
export function edgeGroup(edge) {
  const group = svg("g", { "data-id": edge.id });
  group.append(svg("path", { class: "hit" }), svg("path", { class: "line" }), svg("path", { class: "head" }));
  group.append(svg("title"));
  return group;
}

/** An edge's label, which stands above the nodes: the gap between two may be narrower than the text. */
export function edgeText(edge) {
  return svg("text", { "data-id": edge.id, "text-anchor": "middle" });
}

/** Class of an edge: kind, health, strongest evidence, width step. */
export function edgeClass(edge) {
  const evidence = ["traced", "offsets", "membership", "declared"].find((name) => edge.evidence.includes(name)) ?? "offsets";
  return `edge ${edge.kind} ${edge.health} ${evidence} w${widthStep(edge.rate)}`;
}

/** The chosen label of an edge, with the sign of its health. */
export function edgeLabel(edge, choice) {
  const value = labelValue(edge, choice) && (isOld(edge, choice) ? `◷ ${labelValue(edge, choice)}` : labelValue(edge, choice));
  const mark = { degraded: "▲ ", failing: "✖ " }[edge.health] ?? "";
  return value ? mark + value : mark.trim();
}

export function edgeTitle(edge, names) {
  const group = edge.group_name ? ` (group ${shown(edge.group_name)})` : "";
  const lag = edge.lag === null || edge.lag === undefined ? "" : `, lag ${edge.lagIsOld ? "◷ " : ""}${count(edge.lag)}${edge.lag_seconds ? ` ≈ ${duration(edge.lag_seconds)}` : ""}`;
  return `${shown(names.source)} → ${shown(names.target)}${group}: ${rateOf(edge)}${lag}, ${edge.sentence}, known by ${edge.evidence.join(", ")}`;
}

function labelValue(edge, choice) {
  if (choice === "none") return "";
  if (choice === "lag") return edge.lag === null || edge.lag === undefined ? "" : count(edge.lag);
  if (choice === "wait-p95") return edge.wait_p95_seconds === null ? "" : duration(edge.wait_p95_seconds);
  if (choice === "failed") return edge.errors ? `${count(edge.errors)} failed` : "";
  return edge.rate === null || edge.rate === undefined ? "" : rateOf(edge);
}

/** Whether what the label says comes from a source that is late. */
const isOld = (edge, choice) => (choice === "lag" ? edge.lagIsOld : edge.rateIsOld);

function widthStep(value) {
  if (!value || value < 1) return 1;
  if (value < 100) return 2;
  return value < 10000 ? 3 : 4;
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
    const body = `M${-x + CAP} ${-y}H${x - 14}L${x} ${-y + 14}V${y}H${-x + CAP}A${CAP} ${y} 0 0 1 ${-x + CAP} ${-y}Z`;
    return [svg("path", { class: "shape", d: body }), svg("path", { class: "rim", d: `M${x - 14} ${-y}V${-y + 14}H${x}` })];
  }
  const body = `M${-x + CAP} ${-y}H${x - CAP}A${CAP} ${y} 0 0 1 ${x - CAP} ${y}H${-x + CAP}A${CAP} ${y} 0 0 1 ${-x + CAP} ${-y}Z`;
  const rim = `M${x - CAP} ${-y}A${CAP} ${y} 0 0 0 ${x - CAP} ${y}`;
  return [svg("path", { class: "shape", d: body }), svg("path", { class: "rim", d: rim })];
}

function box({ width, height }, grow) {
  const x = width / 2 + grow;
  const y = height / 2 + grow;
  const r = 8 + grow;
  return `M${-x + r} ${-y}H${x - r}Q${x} ${-y} ${x} ${-y + r}V${y - r}Q${x} ${y} ${x - r} ${y}H${-x + r}Q${-x} ${y} ${-x} ${y - r}V${-y + r}Q${-x} ${-y} ${-x + r} ${-y}Z`;
}

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function domId(id) {
  return `node-${encodeURIComponent(id).replaceAll("%", "_")}`;
}
