// The table twin of the graph: numbers and health change in place, an edge that went is greyed.

import { duration, eventsOf, exact, rateOf } from "./format.js";
import { sign } from "./svg.js";

export const WORDS = { ok: "OK", degraded: "Degraded", failing: "Failing", idle: "Idle", unknown: "Unknown" };

/** Writes these edges, by id, into the rows that are there. */
export function updateTable(edges) {
  for (const row of document.querySelectorAll("tr[data-edge]")) {
    const edge = edges.get(row.dataset.edge);
    row.classList.toggle("gone", !edge);
    if (!edge) continue;
    put(row, "rate", rateOf(edge));
    put(row, "messages", eventsOf(edge));
    put(row, "lag", lagText(edge));
    put(row, "wait", duration(edge.wait_p95_seconds));
    const badge = row.querySelector("[data-field=health] .status");
    if (!badge.classList.contains(edge.health)) {
      badge.className = `status ${edge.health}`;
      badge.replaceChildren(sign(edge.health), WORDS[edge.health]);
    }
  }
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
