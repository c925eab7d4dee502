// The table twin of the graph: numbers and health change in place, an edge that went is greyed.

import { NONE, binned, duration, eventsOf, exact, percent, rate, rateOf } from "./format.js";
import { sign } from "./svg.js";
import { shown } from "./text.js";

export const WORDS = { ok: "OK", degraded: "Degraded", failing: "Failing", idle: "Idle", unknown: "Unknown" };

/** Writes these edges and nodes, by id, into the rows that are there: of nodes those that no edge touches have one. */
export function updateTable(edges, nodes) {
  for (const row of document.querySelectorAll("tr[data-node]")) {
    const node = nodes.get(row.dataset.node);
    row.classList.toggle("gone", !node);
    if (!node) continue;
    put(row, "rate", rate(node.rate));
    putHealth(row, node);
  }
  for (const row of document.querySelectorAll("tr[data-edge]")) {
    const edge = edges.get(row.dataset.edge);
    row.classList.toggle("gone", !edge);
    if (!edge) continue;
    put(row, "rate", rateOf(edge));
    put(row, "messages", eventsOf(edge));
    put(row, "lag", lagText(edge));
    put(row, "wait", binned(edge.wait_p95_seconds));
    put(row, "failed", failedText(edge));
    putHealth(row, edge);
    row.querySelector("[data-field=health] a").title = shown(edge.sentence);
  }
}

function putHealth(row, { health }) {
  const badge = row.querySelector("[data-field=health] .status");
  if (badge.classList.contains(health)) return;
  badge.className = `status ${health}`;
  badge.replaceChildren(sign(health), WORDS[health]);
}

/** Share of the deliveries that failed; nothing where spans do not say. */
function failedText({ errors, messages }) {
  return messages && errors !== null && errors !== undefined ? percent(errors / messages) : NONE;
}

function lagText(edge) {
  if (edge.lag === null || edge.lag === undefined) return "–";
  const seconds = edge.lag_seconds === null || edge.lag_seconds === undefined ? "" : `≈${duration(edge.lag_seconds)} · `;
  return seconds + exact(edge.lag);
}

function put(row, field, text) {
  const cell = row.querySelector(`[data-field=${field}]`);
  if (cell.textContent !== text) cell.textContent = text;
}
