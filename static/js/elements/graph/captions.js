// What stands on nodes and edges, and what a screen reader says of them.

import { NONE, binned, count, duration, exact, percent, rate, rateOf } from "../../lib/format.js";
import { shown } from "../../lib/text.js";

export const MARKS = { degraded: "▲", failing: "✖" };
export const DIFFS = { new: "+", gone: "−", changed: "Δ" };
export const OLD = "◷"; // on what comes from a source that is late
const ROLES = { dead_letter: "dead-letter topic", retry: "retry topic", internal: "internal topic", connector: "connector" };
const has = (value) => value !== null && value !== undefined;

/** A node's name, with its cluster where another one is called the same. */
export const nameOf = (node) => shown(node.shown_name || node.name);

/** The kind of a node in words. */
function kindWord(node) {
  if (node.kind === "box") return node.by;
  return ROLES[node.role] ?? (node.kind === "group" ? "consumer group" : node.kind);
}

/** The one number on a node, the shortest way last; in a comparison behind the sign of what differs, or that itself. */
export function nodeNumbers(node) {
  if (node.kind === "box" && !node.diff) return boxNumbers(node);
  const number = plainNumber(node);
  if (!node.diff) return [number];
  const told = node.diff === "gone" || number === NONE ? [node.diff] : [node.diff === "changed" && shown(node.said ?? ""), number].filter(Boolean);
  return told.map((text) => `${DIFFS[node.diff]} ${text}`);
}

function plainNumber(node) {
  if (node.kind === "box") return boxNumbers(node).at(-1);
  if (node.role === "dead_letter" && node.n_dead_letters) return `✖ ${count(node.n_dead_letters)} open`;
  if (node.kind === "topic") return rate(node.rate_in);
  return flow(node).join(" ");
}

/** "topic orders.created, degraded, 420 per second in, 3 consumer groups". */
export function nodeLabel(node, nGroups) {
  const parts = [`${kindWord(node)} ${nameOf(node)}`, node.health];
  if (node.kind === "box") parts.push(`${exact(node.n_nodes)} nodes`);
  const about = (way) => (node.lacks?.includes(way) ? "at least " : node.estimated ? "about " : "");
  if (has(node.rate_in)) parts.push(`${node.kind === "topic" ? "" : about("in")}${spoken(node.rate_in)} in`); // a topic's is the broker's
  if (has(node.rate_out)) parts.push(`${about("out")}${spoken(node.rate_out)} out`);
  if (node.kind === "topic") parts.push(nGroups === 1 ? "1 consumer group" : `${nGroups} consumer groups`);
  if (node.n_dead_letters) parts.push(`${exact(node.n_dead_letters)} open dead letters`);
  if (node.guessed) parts.push("known from the broker alone");
  if (node.diff) parts.push(node.diff === "changed" && node.said ? `changed: ${shown(node.said)}` : node.diff);
  return parts.join(", ");
}

/** The chosen label of an edge, with the sign of its health, of what contradicts it, and of a late source. */
export function edgeLabel(edge, choice) {
  const value = shown(edge.said || labelValue(edge, choice));
  const odd = edge.contradictions?.length ? "≠" : "";
  const parts = [DIFFS[edge.diff], MARKS[edge.health], odd, value && isOld(edge, choice) ? OLD : "", value];
  return parts.filter(Boolean).join(" ");
}

export function edgeTitle(edge, names) {
  const group = edge.group_name ? ` (group ${shown(edge.group_name)})` : "";
  const lag = has(edge.lag) ? `, lag ${edge.lagIsOld ? `${OLD} ` : ""}${count(edge.lag)}${edge.lag_seconds ? ` ≈ ${duration(edge.lag_seconds)}` : ""}` : "";
  const many = edge.n > 1 ? `, ${edge.n} edges together` : "";
  const odd = edge.contradictions?.length ? `. ≠ ${shown(edge.contradictions.join(". "))}` : "";
  return `${names.source} → ${names.target}${group}: ${rateOf(edge)}${lag}, ${edge.sentence}, known by ${edge.evidence.join(", ")}${many}${odd}${edge.diff ? `. ${DIFFS[edge.diff]} ${shown(edge.said || edge.diff)}` : ""}`;
}

/** What flows in, or where nothing does out: the rate, and which of the two. */
function flow(node) {
  const [value, way] = has(node.rate_in) ? [node.rate_in, "in"] : [node.rate_out, "out"];
  const about = node.lacks?.includes(way) ? "≥" : node.estimated ? "≈" : "";
  return [`${has(value) ? about : ""}${rate(value)}`, way];
}

function boxNumbers(node) {
  const letters = node.n_dead_letters ? [`✖ ${count(node.n_dead_letters)}`] : [];
  const nodes = exact(node.n_nodes);
  if (!has(node.rate_in) && !has(node.rate_out)) return [[nodes, ...letters].join(" · ")];
  const [value, way] = flow(node);
  return [[nodes, `${value} ${way}`, ...letters], [nodes, value, ...letters], letters.length ? [nodes, ...letters] : [nodes, value]].map((parts) => parts.join(" · "));
}

function spoken(perSecond) {
  return rate(perSecond).replace("/s", " per second").replace("/min", " per minute").replace("/h", " per hour");
}

const VALUES = {
  rate: (edge) => (has(edge.rate) ? rateOf(edge) : ""),
  lag: (edge) => (has(edge.lag_seconds) && edge.lag ? duration(edge.lag_seconds) : has(edge.lag) ? count(edge.lag) : ""),
  "wait-p50": (edge) => (has(edge.wait_p50_seconds) ? binned(edge.wait_p50_seconds) : ""),
  "wait-p95": (edge) => (has(edge.wait_p95_seconds) ? binned(edge.wait_p95_seconds) : ""),
  failed: (edge) => (edge.errors && edge.messages ? percent(edge.errors / edge.messages) : ""),
  none: () => "",
};

const isOld = (edge, choice) => (choice === "lag" ? edge.lagIsOld : edge.rateIsOld);

function labelValue(edge, choice) {
  return (VALUES[choice] ?? VALUES.rate)(edge);
}
